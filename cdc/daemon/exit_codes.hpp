// The program's exit codes, from sysexits.h and docs/operations.md.
#pragma once

namespace pgcourier::cdc::daemon {

enum ExitCode : int {
  exit_done = 0,
  exit_usage = 64,
  exit_undeliverable = 65,  // data can't be delivered under the policy
  exit_slot = 66,           // slot lost, gap or divergence
  exit_unreachable = 69,    // source or sink, with --no-retry only
  exit_internal = 70,
  exit_slot_in_use = 75,    // with --no-wait only
  exit_protocol = 76,       // the server broke the protocol
  exit_not_permitted = 77,  // privilege, password, folder
  exit_settings = 78,
};

}  // namespace pgcourier::cdc::daemon
