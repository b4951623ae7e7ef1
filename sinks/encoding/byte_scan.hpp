// Copies of a text what can go into JSON as it is, eight bytes at a time.
#pragma once

#include <cstddef>

namespace pgcourier::sinks::encoding {

// Copies up to the first byte in [from, end) that is a quote, a backslash, a control character
// (below 0x20) or no part of a character in UTF-8 (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF); returns how many bytes that are. `to` has room for all of [from, end),
// and what lies beyond the returned count may be overwritten.
std::size_t copy_like_string(const char* from, const char* end, char* to);

// The same, but quotes and backslashes pass.
std::size_t copy_like_json(const char* from, const char* end, char* to);

}  // namespace pgcourier::sinks::encoding
