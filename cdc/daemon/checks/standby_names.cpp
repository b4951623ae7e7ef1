#include "cdc/daemon/checks/standby_names.hpp"

#include <algorithm>
#include <string>

namespace pgcourier::cdc::daemon {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

// Takes the name off the front of `rest`, quoted or not, and what follows up to the next name.
std::string next_name(std::string_view& rest) {
  std::string name;
  bool quoted = false;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"' && quoted && rest.starts_with('"')) {  // a doubled one
      name.push_back(c);
      rest.remove_prefix(1);
    } else if (c == '"') {
      quoted = !quoted;
    } else if (quoted) {
      name.push_back(c);
    } else if (c == '(') {  // so far it was FIRST n, ANY n or n
      name.clear();
    } else if (c == ',') {
      break;
    } else if (c != ')' && std::string_view(" \t\r\n\f\v").find(c) == std::string_view::npos) {
      name.push_back(c);
    }
  }
  return name;
}

}  // namespace

bool names_standby(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const auto listed = next_name(list);
    // The server takes a quoted "*" for any standby as well.
    if (listed == "*" || (!listed.empty() && equal_ignoring_case(listed, name))) return true;
  }
  return false;
}

}  // namespace pgcourier::cdc::daemon
