// Puts what the environment and --set give into a document.
#pragma once

#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/load_settings.hpp"

namespace pgcourier::config {

// PGCOURIER_SOURCE__SLOT and the like. Throws SettingsError that names the variable.
void apply_environment(Node& root, const Overrides& overrides, std::vector<std::string>& warnings);

// PATH=VALUE; ${…} in the values is replaced. Throws SettingsError that names the path.
void apply_set(Node& root, const Overrides& overrides);

}  // namespace pgcourier::config
