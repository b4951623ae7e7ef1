#include "protocol/pg_time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <ctime>
#include <limits>

namespace pgcourier::protocol {
namespace {

constexpr auto earliest = std::numeric_limits<std::int64_t>::min();
constexpr auto latest = std::numeric_limits<std::int64_t>::max();

TEST(PgTime, IsWrittenAsIso8601) {
  EXPECT_EQ(to_iso8601({0}), "2000-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601({-1}), "1999-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(0)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(1'795'341'600'123'456)),
            "2026-11-22T10:00:00.123456Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(951'782'400'000'000)), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(4'107'542'399'000'000)),
            "2100-02-28T23:59:59.000000Z");
}

TEST(PgTime, KnowsYearsOutsideOfFourDigits) {
  EXPECT_EQ(to_iso8601(from_unix_microseconds(253'402'300'800'000'000)),
            "10000-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(-62'135'596'800'000'000)),
            "0001-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(-62'135'596'800'000'001)),
            "0000-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_iso8601(from_unix_microseconds(-62'198'755'200'000'000)),
            "-0001-01-01T00:00:00.000000Z");
}

TEST(PgTime, SurvivesTheEndsOfInt64) {
  EXPECT_EQ(to_iso8601({latest}), "294277-01-09T04:00:54.775807Z");
  EXPECT_EQ(to_iso8601({earliest}), "-290278-12-22T19:59:05.224192Z");
  EXPECT_EQ(unix_microseconds({latest}), latest);
  EXPECT_EQ(unix_microseconds({earliest}), earliest + pg_epoch_unix_microseconds);
}

RC_GTEST_PROP(PgTime, AgreesWithTheCLibrary, ()) {
  const auto seconds = *rc::gen::inRange<std::int64_t>(-62'135'596'800, 253'402'300'800);
  const std::time_t time = seconds;
  std::tm fields{};
  gmtime_r(&time, &fields);
  char text[80];
  std::snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", fields.tm_year + 1900,
                fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec);
  RC_ASSERT(to_iso8601(from_unix_microseconds(seconds * 1'000'000)) == text);
}

RC_GTEST_PROP(PgTime, ComesBackFromTheUnixEra, ()) {
  const auto microseconds = *rc::gen::inRange<std::int64_t>(earliest / 2, latest / 2);
  RC_ASSERT(unix_microseconds(from_unix_microseconds(microseconds)) == microseconds);
}

}  // namespace
}  // namespace pgcourier::protocol
