// A folder that run writes to.
#pragma once

#include <filesystem>
#include <string>

#include "cdc/daemon/checks/finding.hpp"

namespace pgcourier::cdc::daemon {

// Can this user write to `folder`, or make it, and does nobody feed it from another slot? `name`:
// of the finding; `lock`: the file in it that run would take. Changes nothing.
void check_folder(const std::string& name, const std::filesystem::path& folder,
                  const std::filesystem::path& lock, const std::string& slot, Findings& findings);

}  // namespace pgcourier::cdc::daemon
