#include "config/connection_values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "config/connection_keywords.hpp"

namespace pgcourier::config {

std::optional<int> parse_libpq_integer(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || errno != 0) return std::nullopt;
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    return std::nullopt;
  }
  while (std::isspace(static_cast<unsigned char>(*end)) != 0) ++end;
  if (*end != '\0') return std::nullopt;
  return static_cast<int>(value);
}

std::optional<std::string> ConnectionValues::find(std::string_view name) const {
  const auto written = keywords_.find(name);
  if (written != keywords_.end()) return written->second;
  for (const ConnectionKeyword& keyword : connection_keywords()) {
    if (keyword.name == name && keyword.variable != nullptr) return variable(keyword.variable);
  }
  return std::nullopt;
}

std::string ConnectionValues::text(std::string_view name) const {
  return find(name).value_or(std::string());
}

int ConnectionValues::integer(std::string_view name, int otherwise) const {
  const std::optional<std::string> value = find(name);
  if (!value) return otherwise;
  const std::optional<int> number = parse_libpq_integer(*value);
  if (!number) {
    throw SettingsError(
        fmt::format("the connection's {} must be an integer, \"{}\" is none", name, *value));
  }
  return *number;
}

std::string ConnectionValues::choice(std::string_view name, std::string_view otherwise,
                                     std::initializer_list<std::string_view> allowed) const {
  const std::optional<std::string> value = find(name);
  if (!value) return std::string(otherwise);
  if (std::find(allowed.begin(), allowed.end(), *value) == allowed.end()) {
    throw SettingsError(fmt::format("the connection's {} can't be \"{}\", only one of: {}", name,
                                    *value, fmt::join(allowed, ", ")));
  }
  return *value;
}

std::optional<std::string> ConnectionValues::variable(const char* name) const {
  return surroundings_.environment ? surroundings_.environment(name) : std::nullopt;
}

}  // namespace pgcourier::config
