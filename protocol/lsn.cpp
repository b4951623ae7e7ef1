#include "protocol/lsn.hpp"

#include <charconv>

namespace pgcourier::protocol {
namespace {

constexpr std::size_t digits_of_half = 8;

char* append_half(char* out, std::uint64_t half) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  int shift = 28;
  while (shift > 0 && (half >> shift & 0xf) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *out++ = digits[half >> shift & 0xf];
  return out;
}

std::optional<std::uint64_t> parse_half(std::string_view text) {
  if (text.empty() || text.size() > digits_of_half) return {};
  std::uint64_t half = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), half, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return half;
}

}  // namespace

std::string to_string(Lsn lsn) {
  char text[2 * digits_of_half + 1];
  char* end = append_half(text, lsn.value >> 32);
  *end++ = '/';
  end = append_half(end, lsn.value & 0xffff'ffff);
  return {text, end};
}

std::optional<Lsn> parse_lsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const auto high = parse_half(text.substr(0, slash));
  const auto low = parse_half(text.substr(slash + 1));
  if (!high || !low) return {};
  return Lsn{*high << 32 | *low};
}

}  // namespace pgcourier::protocol
