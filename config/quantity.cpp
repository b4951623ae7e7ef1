#include "config/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr auto size_units = std::to_array<Unit>(
    {{"B", 1}, {"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}, {"TiB", 1024 * std::uint64_t{GiB}}});
constexpr auto duration_units = std::to_array<Unit>(
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}});

// 100 years: far below where a clock's count of nanoseconds ends.
constexpr std::uint64_t longest_duration = 36'500 * std::uint64_t{86'400'000};

struct Quantity {
  std::string_view what;     // "a size"
  std::string_view example;  // "64MiB"
  std::span<const Unit> units;
  std::uint64_t maximum;
};

std::string names(std::span<const Unit> units) {
  std::string list;
  for (const Unit& unit : units) {
    if (!list.empty()) list += ", ";
    list += unit.first;
  }
  return list;
}

std::uint64_t parse(std::string_view text, const Quantity& quantity) {
  const auto expected = [&](std::string_view problem) {
    return SettingsError(fmt::format("expected {} like {} (a whole number and one of {}), {}",
                                     quantity.what, quantity.example, names(quantity.units),
                                     problem));
  };
  const auto too_large = [&] {
    return SettingsError(fmt::format("\"{}\" is too large for {}", text, quantity.what));
  };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) throw too_large();
  if (error != std::errc()) throw expected(fmt::format("found \"{}\"", text));
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty()) {
    if (number == 0) return 0;
    throw expected(fmt::format("found \"{}\" without a unit", text));
  }
  for (const auto& [name, factor] : quantity.units) {
    if (name != unit) continue;
    if (number > quantity.maximum / factor) throw too_large();
    return number * factor;
  }
  throw expected(fmt::format("found \"{}\"", text));
}

}  // namespace

std::size_t parse_size(std::string_view text) {
  return parse(text, {"a size", "64MiB", size_units, std::numeric_limits<std::int64_t>::max()});
}

std::chrono::milliseconds parse_duration(std::string_view text) {
  return std::chrono::milliseconds(
      parse(text, {"a duration", "10s", duration_units, longest_duration}));
}

}  // namespace pgcourier::config
