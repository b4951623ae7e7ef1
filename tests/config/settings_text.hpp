// A minimal settings file and ways to load it with something changed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/load_settings.hpp"

namespace pgcourier::config {

inline const std::string minimal = R"(name: shop
source:
  url: postgresql://cdc@db/shop
  publication: shop
  slot: shop
sinks:
  - stdout: {}
)";

using Variables = std::map<std::string, std::string>;

inline Overrides overrides_of(const Variables& variables, std::vector<std::string> set = {}) {
  Overrides overrides;
  overrides.set = std::move(set);
  overrides.environment = [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  overrides.variables = [variables] {
    std::vector<std::string> names;
    for (const auto& [name, value] : variables) names.push_back(name);
    return names;
  };
  return overrides;
}

inline LoadedSettings load(const std::string& text, const Variables& variables = {},
                           std::vector<std::string> set = {}) {
  return load_settings_text(text, "shop.yaml", overrides_of(variables, std::move(set)));
}

// What is said, or "loaded".
inline std::string error_of(const std::string& text, const Variables& variables = {},
                            std::vector<std::string> set = {}) {
  try {
    load(text, variables, std::move(set));
    return "loaded";
  } catch (const SettingsError& error) {
    return error.what();
  }
}

}  // namespace pgcourier::config
