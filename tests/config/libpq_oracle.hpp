// One verdict of parse_connection_string and one of PQconninfoParse, to compare. Where the two
// differ on purpose:
// - A keyword that is newer than the libpq at hand: ours is known (connection_keywords has the
//   version), libpq's refused.
// - Spaces in a URI, not percent-encoded: libpq 18 strips those around a part and refuses those
//   inside, ours keeps them all, as libpq 15 to 17 do.
// - A NUL: ours is refused; for libpq the string ends there, so it can't be compared.
#pragma once

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "config/connection_keywords.hpp"

namespace pgcourier::config {

inline int libpq_major() { return PQlibVersion() / 10000; }

inline bool is_newer_than_libpq(std::string_view name) {
  const auto keywords = connection_keywords();
  return std::any_of(keywords.begin(), keywords.end(), [&](const ConnectionKeyword& keyword) {
    return keyword.name == name && keyword.since > std::max(15, libpq_major());
  });
}

inline std::string written(const std::optional<ConnectionKeywords>& keywords) {
  if (!keywords) return "refused";
  std::string text;
  for (const auto& [name, value] : *keywords) text += name + "=<" + value + "> ";
  return text;
}

inline std::string verdict_of_ours(const std::string& text) {
  try {
    const ConnectionKeywords keywords = parse_connection_string(text);
    const bool newer = std::any_of(keywords.begin(), keywords.end(), [](const auto& keyword) {
      return is_newer_than_libpq(keyword.first);
    });
    return newer ? "refused" : written(keywords);
  } catch (const SettingsError&) {
    return "refused";
  }
}

inline std::string verdict_of_libpq(const std::string& text) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(text.c_str(), &error), &PQconninfoFree);
  if (error != nullptr) PQfreemem(error);
  if (!options) return "refused";
  ConnectionKeywords keywords;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) keywords[option->keyword] = option->val;
  }
  return written(keywords);
}

inline bool is_comparable(const std::string& text) {
  return libpq_major() < 18 || !is_connection_uri(text) ||
         text.find_first_of(" \t\n\v\f\r") == std::string::npos;
}

}  // namespace pgcourier::config
