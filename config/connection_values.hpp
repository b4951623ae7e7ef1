// The value that holds for a keyword: as written in the connection string, else from libpq's
// environment (libpq 34.15).
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "config/connection_string.hpp"

namespace pgcourier::config {

// Keeps references: lives no longer than both arguments.
class ConnectionValues {
 public:
  ConnectionValues(const ConnectionKeywords& keywords, const LibpqSurroundings& surroundings)
      : keywords_(keywords), surroundings_(surroundings) {}

  // A keyword or variable given as empty is there, and empty.
  std::optional<std::string> find(std::string_view name) const;
  // As find; empty if it is nowhere.
  std::string text(std::string_view name) const;
  // `otherwise` if it is nowhere. Throws SettingsError for what is not an int.
  int integer(std::string_view name, int otherwise) const;
  // Throws SettingsError if it is there and none of `allowed`.
  std::string choice(std::string_view name, std::string_view otherwise,
                     std::initializer_list<std::string_view> allowed) const;
  std::optional<std::string> variable(const char* name) const;
  const std::string& home() const { return surroundings_.home; }
  bool files_are_here() const { return surroundings_.files_are_here; }

 private:
  const ConnectionKeywords& keywords_;
  const LibpqSurroundings& surroundings_;
};

// As libpq's parse_int_param; empty: not an int.
std::optional<int> parse_libpq_integer(const std::string& text);

// The steps of resolve_connection that have a file of their own.
void resolve_hosts(const ConnectionValues& values, ConnectionTarget& target);
void resolve_gss(const ConnectionValues& values, ConnectionTarget& target);
void resolve_tls(const ConnectionValues& values, ConnectionTarget& target);

}  // namespace pgcourier::config
