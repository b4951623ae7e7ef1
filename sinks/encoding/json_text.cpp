// JSON's escapes (RFC 8259, section 7), numbers and base64.
#include "sinks/encoding/json_text.hpp"

#include <array>
#include <charconv>
#include <cstddef>

#include "sinks/encoding/byte_scan.hpp"

namespace pgcourier::sinks::encoding {
namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

void append_escape(std::string& out, char byte) {
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

// Copies `text`, whole runs at a time, but for the ASCII bytes that `scan` stops at, which go
// through `append_special`, and for bytes that aren't UTF-8.
template <typename Scan, typename AppendSpecial>
void append_scanned(std::string& out, std::string_view text, Scan scan,
                    AppendSpecial append_special) {
  const char* run = text.data();
  const char* const end = run + text.size();
  for (const char* at = scan(run, end); at != end; at = scan(at, end)) {
    if (const std::size_t length = utf8_run(at, end); length != 0) {
      at += length;
      continue;
    }
    out.append(run, at);
    if (static_cast<unsigned char>(*at) >= 0x80) {
      out += replacement_character;
    } else {
      append_special(out, *at);
    }
    run = ++at;
  }
  out.append(run, end);
}

constexpr std::size_t base64_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

// `byte_at(i)` gives the i-th of `size` bytes.
template <typename ByteAt>
void append_base64_of(std::string& out, std::size_t size, ByteAt byte_at) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t start = out.size();
  out.resize(start + base64_size(size));
  char* to = out.data() + start;
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

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Skips digits; false if there are none.
bool skip_digits(const char*& at, const char* end) {
  const char* const start = at;
  while (at != end && is_digit(*at)) ++at;
  return at != start;
}

}  // namespace

void append_json_string_part(std::string& out, std::string_view text) {
  append_scanned(out, text, find_unlike_string, append_escape);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_string_part(out, text);
  out += '"';
}

void append_embedded_json(std::string& out, std::string_view json) {
  append_scanned(out, json, find_unlike_json, [](std::string& to, char) { to += ' '; });
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

void append_lsn(std::string& out, protocol::Lsn lsn) {
  std::array<char, 17> text;
  char* const end = text.data() + text.size();
  char* at = std::to_chars(text.data(), end, lsn.value >> 32, 16).ptr;
  *at++ = '/';
  at = std::to_chars(at, end, lsn.value & 0xFFFFFFFF, 16).ptr;
  for (char* letter = text.data(); letter != at; ++letter) {
    if (*letter >= 'a') *letter = static_cast<char>(*letter - 'a' + 'A');
  }
  out.append(text.data(), at);
}

void append_base64(std::string& out, std::string_view bytes) {
  append_base64_of(out, bytes.size(), [bytes](std::size_t i) {
    return unsigned{static_cast<unsigned char>(bytes[i])};
  });
}

bool append_base64_of_hex(std::string& out, std::string_view hex) {
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
  out.resize(start);
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
