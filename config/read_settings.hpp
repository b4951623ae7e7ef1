// From the effective document to Settings, with the checks that need more than one value.
#pragma once

#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/settings.hpp"

namespace pgcourier::config {

// REQUIRES: what with_defaults gave.
Settings read_settings(const Node& effective, std::vector<std::string>& warnings);

}  // namespace pgcourier::config
