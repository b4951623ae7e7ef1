// What `pgcourier run` was told on its command line.
#pragma once

#include <optional>

#include "cdc/start_check.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::cdc::daemon {

struct RunOptions {
  // --until-lsn: end when all before it is confirmed. `now`: where the server stands at the start.
  std::optional<protocol::Lsn> until;
  bool until_now = false;
  bool no_retry = false;
  bool no_wait = false;
  Acceptance acceptance;
};

}  // namespace pgcourier::cdc::daemon
