// Eight bytes at a time in a 64-bit word, wherever the bytes lie.
#include "sinks/encoding/byte_scan.hpp"

#include <bit>
#include <boost/endian/conversion.hpp>
#include <cstdint>
#include <cstring>

namespace pgcourier::sinks::encoding {
namespace {

constexpr std::uint64_t repeated(std::uint8_t byte) { return byte * 0x0101010101010101U; }

// Not zero if a byte of `word` is zero or above 0x80. (It may flag a byte above one
// that it flags rightly, through the borrow; only the lowest is used.)
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

// Whole words are stored before it is known how much of them counts.
template <auto stops, auto stop>
std::size_t copy(const char* from, const char* end, char* to) {
  const char* at = from;
  for (;;) {
    while (end - at >= 8) {
      std::uint64_t word;
      std::memcpy(&word, at, 8);
      std::memcpy(to, &word, 8);
      const std::uint64_t found = stops(boost::endian::little_to_native(word)) & repeated(0x80);
      if (found != 0) {
        at += std::countr_zero(found) / 8;
        to += std::countr_zero(found) / 8;
        break;
      }
      at += 8;
      to += 8;
    }
    while (at != end && !stop(*at)) *to++ = *at++;
    const char* const ascii_end = at;
    while (at != end && static_cast<unsigned char>(*at) >= 0x80) {
      const std::size_t length = utf8_character(at, end);
      if (length == 0) break;
      at += length;
    }
    const auto characters = static_cast<std::size_t>(at - ascii_end);
    std::memcpy(to, ascii_end, characters);
    to += characters;
    if (at == end || characters == 0 || static_cast<unsigned char>(*at) >= 0x80) {
      return static_cast<std::size_t>(at - from);
    }
  }
}

}  // namespace

std::size_t copy_like_string(const char* from, const char* end, char* to) {
  return copy<string_stops, string_stop>(from, end, to);
}

std::size_t copy_like_json(const char* from, const char* end, char* to) {
  return copy<json_stops, json_stop>(from, end, to);
}

}  // namespace pgcourier::sinks::encoding
