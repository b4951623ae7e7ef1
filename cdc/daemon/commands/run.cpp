// pgcourier run
#include <CLI/CLI.hpp>
#include <memory>

#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/daemon.hpp"

namespace pgcourier::cdc::daemon {

namespace {

struct Flags {
  RunRequest request;
  std::string until;
  std::string accept_gap;
  std::string accept_identity;
};

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto flags = std::make_shared<Flags>();
  auto* run = app.add_subcommand("run", "Feed the sinks from the slot until SIGTERM");
  add_settings_options(*run, flags->request.settings_file, flags->request.set);
  run->add_option("--until-lsn", flags->until,
                  "End when all before this LSN is confirmed; now: where the server stands");
  run->add_flag("--no-retry", flags->request.options.no_retry,
                "End with 69 where a source or sink can't be reached");
  run->add_flag("--no-wait", flags->request.options.no_wait,
                "End with 75 where another process uses the slot");
  run->add_option("--accept-gap", flags->accept_gap,
                  "Go on although changes are lost, once, as an exit 66 told");
  run->add_option("--accept-identity", flags->accept_identity,
                  "Go on from another server, once, as an exit 66 told");
  run->callback([flags, &action] {
    auto& options = flags->request.options;
    options.until_now = flags->until == "now";
    if (!options.until_now) options.until = read_lsn(flags->until, "--until-lsn");
    options.acceptance.gap = read_lsn(flags->accept_gap, "--accept-gap");
    if (!flags->accept_identity.empty()) options.acceptance.identity = flags->accept_identity;
    action = [flags] { return run_daemon(flags->request); };
  });
}

}  // namespace pgcourier::cdc::daemon
