// JSON's escapes (RFC 8259, section 7), numbers and base64.
#include "sinks/encoding/json_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>

#include "sinks/encoding/byte_scan.hpp"

namespace pgcourier::sinks::encoding {
namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

void append_escape(TextBuffer& out, char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += digits[static_cast<unsigned char>(byte) >> 4];
      out += digits[static_cast<unsigned char>(byte) & 0xF];
  }
}

// Copies `text`: what `copy_plain` takes in runs, the ASCII bytes it stops at through
// `append_special`, and U+FFFD for each byte that isn't UTF-8.
template <typename CopyPlain, typename AppendSpecial>
void append_scanned(TextBuffer& out, std::string_view text, CopyPlain copy_plain,
                    AppendSpecial append_special) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    const auto left = static_cast<std::size_t>(end - at);
    const std::size_t copied = copy_plain(at, end, out.room(left));
    out.taken(copied);
    at += copied;
    if (at == end) return;
    if (static_cast<unsigned char>(*at) >= 0x80) {
      out += replacement_character;
    } else {
      append_special(out, *at);
    }
    ++at;
  }
}

constexpr std::size_t base64_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

// `byte_at(i)` gives the i-th of `size` bytes.
template <typename ByteAt>
void append_base64_of(TextBuffer& out, std::size_t size, ByteAt byte_at) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char* to = out.room(base64_size(size));
  out.taken(base64_size(size));
  std::size_t i = 0;
  for (; i + 3 <= size; i += 3) {
    const unsigned group = byte_at(i) << 16 | byte_at(i + 1) << 8 | byte_at(i + 2);
    *to++ = digits[group >> 18];
    *to++ = digits[group >> 12 & 63];
    *to++ = digits[group >> 6 & 63];
    *to++ = digits[group & 63];
  }
  if (i == size) return;
  const bool two = i + 2 == size;
  const unsigned group = byte_at(i) << 16 | (two ? byte_at(i + 1) << 8 : 0U);
  *to++ = digits[group >> 18];
  *to++ = digits[group >> 12 & 63];
  *to++ = two ? digits[group >> 6 & 63] : '=';
  *to++ = '=';
}

constexpr unsigned not_hex = 0x100;

constexpr std::array<std::uint16_t, 256> hex_values = [] {
  std::array<std::uint16_t, 256> values{};
  values.fill(not_hex);
  for (unsigned digit = 0; digit < 10; ++digit) {
    values['0' + digit] = static_cast<std::uint16_t>(digit);
  }
  for (unsigned digit = 10; digit < 16; ++digit) {
    values['a' + digit - 10] = values['A' + digit - 10] = static_cast<std::uint16_t>(digit);
  }
  return values;
}();

unsigned hex_value(char digit) { return hex_values[static_cast<unsigned char>(digit)]; }

// As PostgreSQL's %X: capitals, no leading zeros.
void append_hexadecimal(TextBuffer& out, std::uint32_t number) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto count = std::max(1, (static_cast<int>(std::bit_width(number)) + 3) / 4);
  char* to = out.room(static_cast<std::size_t>(count));
  for (int shift = 4 * (count - 1); shift >= 0; shift -= 4) *to++ = digits[number >> shift & 0xF];
  out.taken(static_cast<std::size_t>(count));
}

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Skips digits; false if there are none.
bool skip_digits(const char*& at, const char* end) {
  const char* const start = at;
  while (at != end && is_digit(*at)) ++at;
  return at != start;
}

}  // namespace

void append_json_string_part(TextBuffer& out, std::string_view text) {
  append_scanned(out, text, copy_like_string, append_escape);
}

void append_json_string(TextBuffer& out, std::string_view text) {
  out += '"';
  append_json_string_part(out, text);
  out += '"';
}

void append_embedded_json(TextBuffer& out, std::string_view json) {
  append_scanned(out, json, copy_like_json, [](TextBuffer& to, char) { to += ' '; });
}

void append_number(TextBuffer& out, std::uint64_t number) {
  constexpr std::size_t most_digits = 20;
  char* const begin = out.room(most_digits);
  const auto [end, error] = std::to_chars(begin, begin + most_digits, number);
  out.taken(static_cast<std::size_t>(end - begin));
}

void append_lsn(TextBuffer& out, protocol::Lsn lsn) {
  append_hexadecimal(out, static_cast<std::uint32_t>(lsn.value >> 32));
  out += '/';
  append_hexadecimal(out, static_cast<std::uint32_t>(lsn.value));
}

void append_base64(TextBuffer& out, std::string_view bytes) {
  append_base64_of(out, bytes.size(), [bytes](std::size_t i) {
    return unsigned{static_cast<unsigned char>(bytes[i])};
  });
}

bool append_base64_of_hex(TextBuffer& out, std::string_view hex) {
  if (hex.size() % 2 != 0) return false;
  const std::size_t start = out.size();
  unsigned seen = 0;
  append_base64_of(out, hex.size() / 2, [hex, &seen](std::size_t i) {
    const unsigned high = hex_value(hex[2 * i]);
    const unsigned low = hex_value(hex[2 * i + 1]);
    seen |= high | low;
    return (high << 4 | low) & 0xFF;
  });
  if ((seen & not_hex) == 0) return true;
  out.cut(start);
  return false;
}

bool is_json_number(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at != end && *at == '-') ++at;
  if (at != end && *at == '0') {
    ++at;
  } else if (!skip_digits(at, end)) {
    return false;
  }
  if (at != end && *at == '.' && (++at, !skip_digits(at, end))) return false;
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (!skip_digits(at, end)) return false;
  }
  return at == end;
}

}  // namespace pgcourier::sinks::encoding
