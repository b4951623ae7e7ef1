// pgcourier config show|check|schema
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cdc/daemon/checks/settings_check.hpp"
#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/exit_codes.hpp"
#include "config/load_settings.hpp"

namespace pgcourier::cdc::daemon {

namespace {

struct Flags {
  std::filesystem::path file;
  std::vector<std::string> set;
};

CLI::App* add_file_command(CLI::App& app, const std::shared_ptr<Flags>& flags,
                           const std::string& name, const std::string& description) {
  auto* command = app.add_subcommand(name, description);
  add_settings_options(*command, flags->file, flags->set);
  return command;
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) std::cerr << "warning: " << warning << '\n';
}

int show(const Flags& flags) {
  const auto loaded = config::load_settings(flags.file, config::process_overrides(flags.set));
  print_warnings(loaded.warnings);
  std::cout << show_settings(loaded);
  return exit_done;
}

int check(const Flags& flags) {
  auto loaded = config::load_settings(flags.file, config::process_overrides(flags.set));
  check_settings(loaded.settings, loaded.warnings);
  print_warnings(loaded.warnings);
  std::cout << "the settings are fine\n";
  return exit_done;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  auto flags = std::make_shared<Flags>();
  auto* config_command = app.add_subcommand("config", "Look at the settings");
  config_command->require_subcommand(1);
  add_file_command(*config_command, flags, "show", "The effective settings, secrets masked")
      ->callback([flags, &action] {
        action = [flags] { return report_failures([&] { return show(*flags); }); };
      });
  add_file_command(*config_command, flags, "check", "Check the file without connecting anywhere")
      ->callback([flags, &action] {
        action = [flags] { return report_failures([&] { return check(*flags); }); };
      });
  config_command->add_subcommand("schema", "The file's JSON Schema")->callback([&action] {
    action = [] {
      std::cout << config::settings_schema() << '\n';
      return int{exit_done};
    };
  });
}

}  // namespace pgcourier::cdc::daemon
