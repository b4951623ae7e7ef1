// pgcourier version
#include "cdc/daemon/version.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/exit_codes.hpp"

namespace pgcourier::cdc::daemon {

void add_version(CLI::App& app, Action& action) {
  app.add_subcommand("version", "Print the version")->callback([&action] {
    action = [] {
      std::cout << "pgcourier " << version << '\n';
      return int{exit_done};
    };
  });
}

}  // namespace pgcourier::cdc::daemon
