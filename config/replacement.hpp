// ${VAR}, ${VAR:-default} and ${file:/path} in the scalars of a document; `$${` is a literal `${`.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/document.hpp"

namespace pgcourier::config {

// What was replaced is not looked at again. Throws SettingsError with the scalar's origin and the
// variable or file that is missing.
void replace_variables(
    Node& node, const std::function<std::optional<std::string>(const char* variable)>& environment);

// The path, if a ${file:…} stands for the whole scalar.
std::optional<std::string> replacing_file(const Node& node);

// The contents without one newline at the end. Throws SettingsError with the reason.
std::string read_text_file(const std::string& path);

}  // namespace pgcourier::config
