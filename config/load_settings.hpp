// From a settings file, the environment and --set to Settings: flags > environment > file >
// defaults. What each key means stands in setting_table.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "config/settings.hpp"

namespace pgcourier::config {

// What comes before the file. Both functions are parameters for tests; an empty one: none.
struct Overrides {
  // PATH=VALUE, as `source.slot=shop` or `sinks.0.kafka.brokers=b:9092`; later ones win. A value
  // for a list or a map is YAML: `source.tables=[public.*]`.
  std::vector<std::string> set;
  // Gives PGCOURIER_SOURCE__SLOT and the like (taken literally) and the VAR of ${VAR}.
  std::function<std::optional<std::string>(const char* variable)> environment;
  // The names of all variables; those that don't begin with PGCOURIER_ are ignored.
  std::function<std::vector<std::string>()> variables;
};

// Those of this process.
Overrides process_overrides(std::vector<std::string> set);

struct LoadedSettings {
  Settings settings;
  std::vector<std::string> warnings;
  Node effective;  // every setting of the table with its value, secrets included: for show_settings
};

// Throws SettingsError for the first thing that is wrong: file:line:column, the key's path, what
// was expected. A relative path in the file is relative to the working directory.
LoadedSettings load_settings(const std::filesystem::path& file, const Overrides& overrides);

// The same from text; `name` stands for the file in messages.
LoadedSettings load_settings_text(std::string_view text, const std::string& name,
                                  const Overrides& overrides);

// The effective settings as YAML, defaults included, secrets as `***`.
std::string show_settings(const LoadedSettings& loaded);

// JSON Schema (draft 2020-12) of the settings file.
std::string settings_schema();

}  // namespace pgcourier::config
