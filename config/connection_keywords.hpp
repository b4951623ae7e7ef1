// The keywords of libpq's connection strings (libpq 34.1.2) with their environment variables.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/connection_string.hpp"

namespace pgcourier::config {

struct ConnectionKeyword {
  std::string_view name;
  const char* variable;  // null: none
  int since;             // the libpq that knows it first; 15 stands for all older ones too
};

std::span<const ConnectionKeyword> connection_keywords();
bool is_connection_keyword(std::string_view name);

// ` (did you mean "…"?)`, or nothing if no keyword is like it.
std::string keyword_hint(std::string_view unknown);

// What libpq does with one keyword and its decoded value; a later one replaces an earlier one.
// `position` is the keyword's in the string. Throws SettingsError for an unknown one.
void store_keyword(ConnectionKeywords& keywords, std::string_view name, std::string value,
                   std::size_t position);

// postgresql:// or postgres:// (libpq 34.1.1.2); REQUIRES for the parser: is_connection_uri(text).
bool is_connection_uri(std::string_view text);
ConnectionKeywords parse_connection_uri(std::string_view text);

}  // namespace pgcourier::config
