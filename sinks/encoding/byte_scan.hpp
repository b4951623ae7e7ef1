// Finds the bytes of a text that can't go into JSON as they are, eight at a time.
#pragma once

#include <cstddef>

namespace pgcourier::sinks::encoding {

// The first byte in [at, end) that is a quote, a backslash, a control character (below 0x20) or not
// ASCII; `end` if there is none.
const char* find_unlike_string(const char* at, const char* end);

// The same, but quotes and backslashes pass.
const char* find_unlike_json(const char* at, const char* end);

// How many bytes from `at` on are whole characters of UTF-8 outside ASCII, as RFC 3629 has them: no
// overlong forms, no surrogates, nothing above U+10FFFF. 0 if the first isn't one.
std::size_t utf8_run(const char* at, const char* end);

}  // namespace pgcourier::sinks::encoding
