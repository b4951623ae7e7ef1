// Keeps fuzzed SCRAM dialogues short.
#pragma once

#include <string_view>

namespace pgcourier::tests {

// Whether the text asks for more than 99 iterations: legal, but each costs time, and the fuzzer
// would only find out how slow millions of them are.
inline bool asks_for_many_iterations(std::string_view text) {
  for (auto at = text.find("i="); at != std::string_view::npos; at = text.find("i=", at + 1)) {
    if (text.substr(at + 2).find_first_not_of("0123456789") > 2 && text.size() > at + 4)
      return true;
  }
  return false;
}

}  // namespace pgcourier::tests
