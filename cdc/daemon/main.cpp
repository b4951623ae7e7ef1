// pgcourier: the command line.
#include <CLI/CLI.hpp>
#include <iostream>

#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/exit_codes.hpp"

int main(int argc, char** argv) {
  using namespace pgcourier::cdc::daemon;
  CLI::App app("Change data capture from PostgreSQL: logical replication to Kafka and JSON files",
               "pgcourier");
  app.require_subcommand(1);
  Action action;
  add_run(app, action);
  add_check(app, action);
  add_config(app, action);
  add_demo(app, action);
  add_slot(app, action);
  add_status(app, action);
  add_version(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const auto unknown = unknown_command(app);
    if (unknown.empty()) {
      app.exit(error);
    } else {
      std::cerr << unknown << "\nRun with --help for more information.\n";
    }
    return exit_usage;
  } catch (const CLI::ParseError& error) {
    const int shown = app.exit(error);
    return shown == 0 ? exit_done : exit_usage;
  }
  return action();
}
