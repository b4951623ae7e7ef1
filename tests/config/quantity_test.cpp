#include "config/quantity.hpp"

#include <gtest/gtest.h>

#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

template <typename Parse>
std::string error_of(Parse parse, std::string_view text) {
  try {
    parse(text);
    return "parsed";
  } catch (const SettingsError& error) {
    return error.what();
  }
}

TEST(Quantity, ReadsEveryUnit) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("7B"), 7u);
  EXPECT_EQ(parse_size("3KiB"), 3072u);
  EXPECT_EQ(parse_size("64MiB"), 64 * MiB);
  EXPECT_EQ(parse_size("2GiB"), 2 * GiB);
  EXPECT_EQ(parse_size("1TiB"), 1024 * GiB);
  EXPECT_EQ(parse_duration("0"), 0ms);
  EXPECT_EQ(parse_duration("100ms"), 100ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("1d"), 24h);
}

TEST(Quantity, SaysWhatASizeLooksLike) {
  EXPECT_EQ(error_of(parse_size, "64"),
            "expected a size like 64MiB (a whole number and one of B, KiB, MiB, GiB, TiB), found "
            "\"64\" without a unit");
  EXPECT_EQ(error_of(parse_size, "64MB"),
            "expected a size like 64MiB (a whole number and one of B, KiB, MiB, GiB, TiB), found "
            "\"64MB\"");
  for (const char* text :
       {"", "MiB", "-1MiB", "1.5GiB", " 1MiB", "1 MiB", "1MiB ", "0x1B", "+1B"}) {
    EXPECT_NE(error_of(parse_size, text), "parsed") << text;
  }
}

TEST(Quantity, SaysWhatADurationLooksLike) {
  EXPECT_EQ(error_of(parse_duration, "10"),
            "expected a duration like 10s (a whole number and one of ms, s, m, h, d), found \"10\" "
            "without a unit");
  for (const char* text : {"", "s", "-1s", "1.5h", "1h30m", "1 s", "10S", "1us"}) {
    EXPECT_NE(error_of(parse_duration, text), "parsed") << text;
  }
}

TEST(Quantity, NeverWrapsAround) {
  EXPECT_EQ(parse_size("8388607TiB"), 8388607 * (1024 * GiB));
  EXPECT_EQ(error_of(parse_size, "8388608TiB"), "\"8388608TiB\" is too large for a size");
  EXPECT_EQ(error_of(parse_size, "99999999999999999999B"),
            "\"99999999999999999999B\" is too large for a size");
  EXPECT_EQ(parse_duration("36500d"), 36500 * 24h);
  EXPECT_EQ(error_of(parse_duration, "36501d"), "\"36501d\" is too large for a duration");
  EXPECT_EQ(error_of(parse_duration, "18446744073709551615d"),
            "\"18446744073709551615d\" is too large for a duration");
}

}  // namespace
}  // namespace pgcourier::config
