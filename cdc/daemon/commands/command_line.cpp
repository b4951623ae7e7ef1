#include "cdc/daemon/commands/command_line.hpp"

#include <iostream>

#include "cdc/daemon/retry_policy.hpp"

namespace pgcourier::cdc::daemon {

void add_settings_options(CLI::App& command, std::filesystem::path& file,
                          std::vector<std::string>& set) {
  command.add_option("-c,--config", file, "The settings file")->required();
  command.add_option("--set", set, "PATH=VALUE over the file, as source.slot=shop")
      ->allow_extra_args(false);
}

std::optional<protocol::Lsn> read_lsn(const std::string& text, const char* flag) {
  if (text.empty()) return std::nullopt;
  const auto lsn = protocol::parse_lsn(text);
  if (!lsn) throw CLI::ValidationError(flag, "'" + text + "' is not an LSN such as 0/16B3748");
  return lsn;
}

std::string unknown_command(const CLI::App& app) {
  for (const auto* chosen : app.get_subcommands()) {
    if (auto text = unknown_command(*chosen); !text.empty()) return text;
  }
  const auto left = app.remaining();
  if (app.get_require_subcommand_min() == 0 || !app.get_subcommands().empty() || left.empty() ||
      left.front().starts_with('-')) {
    return {};
  }
  std::string known;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    known += (known.empty() ? "" : ", ") + command->get_name();
  }
  const std::string before = app.get_parent() ? app.get_name() + " " : "";
  return "pgcourier: unknown command '" + before + left.front() + "'; the known ones: " + known;
}

int report_failures(const std::function<int()>& command) {
  try {
    return command();
  } catch (const std::exception&) {
    const auto step = next_step(std::current_exception(), false);
    std::cerr << "pgcourier: " << step.what << '\n';
    return step.exit_code;
  }
}

}  // namespace pgcourier::cdc::daemon
