// `pgcourier run`: sessions one after another until something says stop.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cdc/daemon/run_options.hpp"
#include "config/load_settings.hpp"

namespace pgcourier::cdc::daemon {

struct RunRequest {
  std::filesystem::path settings_file;
  std::vector<std::string> set;  // --set PATH=VALUE
  RunOptions options;
};

// Returns the exit code. The log is initialised from the settings; whatever goes wrong is logged.
int run_daemon(const RunRequest& request);

}  // namespace pgcourier::cdc::daemon
