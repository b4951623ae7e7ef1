// pgcourier check
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <memory>

#include "cdc/daemon/checks/report.hpp"
#include "cdc/daemon/checks/run_checks.hpp"
#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/log.hpp"
#include "config/load_settings.hpp"

namespace pgcourier::cdc::daemon {

namespace {

struct Flags {
  std::filesystem::path file;
  std::vector<std::string> set;
  bool json = false;
};

void check_all(const Flags& flags, Findings& findings) {
  const auto loaded = config::load_settings(flags.file, config::process_overrides(flags.set));
  for (const auto& warning : loaded.warnings) findings.warning("settings", warning, {});
  log::init(loaded.settings.log.level, loaded.settings.log.format);

  asio::io_context io{1};
  asio::thread_pool workers{1};
  PipelineStatus status(loaded.settings);
  RunMemory memory;
  const SessionContext context{io, workers, loaded.settings, RunOptions{}, status, memory};
  std::exception_ptr failure;
  asio::co_spawn(io, run_checks(context, findings),
                 [&failure](std::exception_ptr error) { failure = error; });
  io.run();
  workers.join();
  if (failure) std::rethrow_exception(failure);
}

int check(const Flags& flags) {
  Findings findings;
  try {
    check_all(flags, findings);
  } catch (const std::exception&) {
    findings.failure("settings", std::current_exception(), false);
  }
  std::cout << (flags.json ? findings_json(findings) : findings_text(findings));
  return findings.exit_code();
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("check", "What would stop or hurt run, and what to do");
  add_settings_options(*command, flags->file, flags->set);
  command->add_flag("--json", flags->json, "Print the findings as JSON");
  command->callback([flags, &action] { action = [flags] { return check(*flags); }; });
}

}  // namespace pgcourier::cdc::daemon
