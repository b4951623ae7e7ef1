// What several commands have in common on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "protocol/lsn.hpp"

namespace pgcourier::cdc::daemon {

// -c FILE and --set PATH=VALUE.
void add_settings_options(CLI::App& command, std::filesystem::path& file,
                          std::vector<std::string>& set);

// Empty text: none. Throws CLI::ValidationError.
std::optional<protocol::Lsn> read_lsn(const std::string& text, const char* flag);

// After a parse that missed a command: what was written in its place, and the known ones. Empty:
// nothing was written there.
std::string unknown_command(const CLI::App& app);

// Runs a command of a few seconds: what it throws becomes one line on stderr and the exit code that
// `run` would give.
int report_failures(const std::function<int()>& command);

}  // namespace pgcourier::cdc::daemon
