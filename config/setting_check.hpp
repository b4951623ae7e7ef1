// The check of a document against the setting table: keys, types, ranges, what is not there yet.
#pragma once

#include <string>
#include <string_view>

#include "config/document.hpp"
#include "config/setting_table.hpp"

namespace pgcourier::config {

// Throws SettingsError for the first thing that is wrong.
void check_document(const Node& root);

// "origin: path: problem".
[[noreturn]] void fail_at(const Node& node, std::string_view path, std::string_view problem);

// "unknown … source.slto (did you mean source.slot?)"; `section` as in the table, `path` of the
// unknown one as the user knows it.
std::string unknown_setting(std::string_view what, std::string_view section, std::string_view path);

}  // namespace pgcourier::config
