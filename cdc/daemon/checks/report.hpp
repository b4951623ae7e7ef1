// The findings as text for a person and as JSON for a program.
#pragma once

#include <string>

#include "cdc/daemon/checks/finding.hpp"

namespace pgcourier::cdc::daemon {

// One line each, aligned, errors last:
//   ok       wal_level         logical
//   warning  replica_identity  public.notes has …: ALTER TABLE …
std::string findings_text(const Findings& findings);

// {"findings":[{"name":…,"severity":"ok","what":…,"remedy":…,"exit_code":0}],"exit_code":0}
std::string findings_json(const Findings& findings);

}  // namespace pgcourier::cdc::daemon
