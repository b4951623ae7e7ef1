// The program's commands, one file each. Each adds itself to the command line and gives its exit
// code when it was chosen.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace pgcourier::cdc::daemon {

// What the chosen command does; set while the command line is read.
using Action = std::function<int()>;

void add_run(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_demo(CLI::App& app, Action& action);
void add_slot(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_version(CLI::App& app, Action& action);

}  // namespace pgcourier::cdc::daemon
