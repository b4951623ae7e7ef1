// `***` for what may not be shown.
#pragma once

#include <string>
#include <string_view>

#include "config/document.hpp"

namespace pgcourier::config {

// The same connection with its passwords masked; all of it if it can't be parsed.
std::string mask_connection_string(std::string_view text);

// REQUIRES: what with_defaults gave.
Node mask_document(const Node& effective);

}  // namespace pgcourier::config
