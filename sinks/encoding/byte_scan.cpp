// Eight bytes at a time in a 64-bit word, wherever the bytes lie.
#include "sinks/encoding/byte_scan.hpp"

#include <cstdint>
#include <cstring>

namespace pgcourier::sinks::encoding {
namespace {

constexpr std::uint64_t repeated(std::uint8_t byte) { return byte * 0x0101010101010101U; }

// Not zero if a byte of `word` is zero or above 0x80. (Like the subtraction below, it may flag a
// byte above one that it flags rightly, through the borrow; only zero or not is used.)
constexpr std::uint64_t zero_bytes(std::uint64_t word) { return word - repeated(1); }

// Not zero if a byte of `word` is a control character or not ASCII.
constexpr std::uint64_t json_stops(std::uint64_t word) { return word | (word - repeated(0x20)); }

constexpr std::uint64_t string_stops(std::uint64_t word) {
  return json_stops(word) | zero_bytes(word ^ repeated('"')) | zero_bytes(word ^ repeated('\\'));
}

constexpr bool json_stop(char byte) {
  return static_cast<unsigned char>(byte) < 0x20 || static_cast<unsigned char>(byte) >= 0x80;
}

constexpr bool string_stop(char byte) { return json_stop(byte) || byte == '"' || byte == '\\'; }

template <typename Stops, typename Stop>
const char* find(const char* at, const char* end, Stops stops, Stop stop) {
  while (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    if ((stops(word) & repeated(0x80)) != 0) break;
    at += 8;
  }
  while (at != end && !stop(*at)) ++at;
  return at;
}

// The length of the character at `at`; 0 if there is none outside ASCII.
std::size_t utf8_character(const char* at, const char* end) {
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  const auto continues = [byte](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const std::size_t left = static_cast<std::size_t>(end - at);
  const unsigned char lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (lead < 0xE0) return left >= 2 && continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
    if (lead == 0xED && byte(1) >= 0xA0) return 0;  // surrogates
    return 3;
  }
  if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xF4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

}  // namespace

const char* find_unlike_string(const char* at, const char* end) {
  return find(at, end, string_stops, string_stop);
}

const char* find_unlike_json(const char* at, const char* end) {
  return find(at, end, json_stops, json_stop);
}

std::size_t utf8_run(const char* at, const char* end) {
  const char* const start = at;
  while (at != end) {
    const std::size_t length = utf8_character(at, end);
    if (length == 0) break;
    at += length;
  }
  return static_cast<std::size_t>(at - start);
}

}  // namespace pgcourier::sinks::encoding
