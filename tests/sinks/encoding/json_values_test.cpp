#include "sinks/encoding/json_values.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cdc/encoding_error.hpp"
#include "tests/sinks/encoding/samples.hpp"

namespace pgcourier::sinks::encoding {
namespace {

using tests::json_of;

std::string error_of(std::uint32_t type_oid, std::string_view value) {
  try {
    json_of(type_oid, value);
  } catch (const cdc::EncodingError& error) {
    return error.what();
  }
  return "no error";
}

TEST(JsonValues, BooleansAreTrueAndFalse) {
  EXPECT_EQ(json_of(tests::bool_oid, "t"), "true");
  EXPECT_EQ(json_of(tests::bool_oid, "f"), "false");
  EXPECT_EQ(error_of(tests::bool_oid, "yes"), "public.t.c (boolean): neither t nor f");
}

TEST(JsonValues, NumbersStandAsSent) {
  EXPECT_EQ(json_of(tests::int8_oid, "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(json_of(tests::float8_oid, "1e+20"), "1e+20");
  EXPECT_EQ(json_of(tests::float8_oid, "-0"), "-0");
  EXPECT_EQ(json_of(tests::float8_oid, "5e-324"), "5e-324");
  EXPECT_EQ(json_of(tests::float8_oid, "-1.7976931348623157e+308"), "-1.7976931348623157e+308");
}

TEST(JsonValues, NumbersThatNoTypeHasAreErrors) {
  for (const char* number : {"1.2345678901234569e+516", "1e-400", "1234567890123456789012345"}) {
    EXPECT_EQ(error_of(tests::float8_oid, number),
              "public.t.c (floating): no type has such a number");
    EXPECT_EQ(error_of(tests::int8_oid, number), "public.t.c (integer): no type has such a number");
  }
}

TEST(JsonValues, FloatsThatAreNoNumbersAreStrings) {
  EXPECT_EQ(json_of(tests::float8_oid, "NaN"), R"("NaN")");
  EXPECT_EQ(json_of(tests::float8_oid, "Infinity"), R"("Infinity")");
  EXPECT_EQ(json_of(tests::float8_oid, "-Infinity"), R"("-Infinity")");
}

TEST(JsonValues, ErrorsNameTableColumnFormAndReasonButNotTheValue) {
  EXPECT_EQ(error_of(tests::int8_oid, "secret"), "public.t.c (integer): not a number");
  EXPECT_EQ(error_of(tests::float8_oid, "secret"), "public.t.c (floating): not a number");
  EXPECT_EQ(error_of(tests::bytea_oid, "secret"), "public.t.c (bytea): not in hex format");
  EXPECT_EQ(error_of(tests::bytea_oid, "\\xsecret1"), "public.t.c (bytea): not in hex format");
  EXPECT_EQ(error_of(tests::json_oid, ""), "public.t.c (json): empty");
}

TEST(JsonValues, NumericsAreStringsWithEveryDigit) {
  EXPECT_EQ(json_of(tests::numeric_oid, "1.2300000000000000000000001"),
            R"("1.2300000000000000000000001")");
  EXPECT_EQ(json_of(tests::numeric_oid, "NaN"), R"("NaN")");
}

TEST(JsonValues, TimestampsHaveATBetweenDateAndTime) {
  EXPECT_EQ(json_of(tests::timestamp_oid, "2026-11-22 10:00:00.5"), R"("2026-11-22T10:00:00.5")");
  EXPECT_EQ(json_of(tests::timestamp_oid, "0044-03-15 00:00:00 BC"), R"("0044-03-15T00:00:00 BC")");
  EXPECT_EQ(json_of(tests::timestamp_oid, "infinity"), R"("infinity")");
  EXPECT_EQ(json_of(tests::timestamp_oid, "-infinity"), R"("-infinity")");
}

TEST(JsonValues, TimestampsWithTimeZoneEndInZ) {
  EXPECT_EQ(json_of(tests::timestamptz_oid, "2026-11-22 10:00:00.123456+00"),
            R"("2026-11-22T10:00:00.123456Z")");
  EXPECT_EQ(json_of(tests::timestamptz_oid, "0044-03-15 00:00:00+00 BC"),
            R"("0044-03-15T00:00:00Z BC")");
  EXPECT_EQ(json_of(tests::timestamptz_oid, "294276-12-31 23:59:59.999999+00"),
            R"("294276-12-31T23:59:59.999999Z")");
  EXPECT_EQ(json_of(tests::timestamptz_oid, "-infinity"), R"("-infinity")");
}

TEST(JsonValues, ByteaIsBase64) {
  EXPECT_EQ(json_of(tests::bytea_oid, "\\x"), R"("")");
  EXPECT_EQ(json_of(tests::bytea_oid, "\\x00ff10"), R"("AP8Q")");
}

TEST(JsonValues, JsonIsEmbeddedOnOneLine) {
  EXPECT_EQ(json_of(tests::json_oid, "{\"a\":\n 12345678901234567890.10}"),
            "{\"a\":  12345678901234567890.10}");
}

// Whatever the server might send, what is written is either one JSON value or an EncodingError.
RC_GTEST_PROP(JsonValues, AreJsonWhateverTheTextIs, (const std::string& text)) {
  for (const std::uint32_t oid :
       {tests::bool_oid, tests::bytea_oid, tests::int8_oid, tests::text_oid, tests::float8_oid,
        tests::timestamp_oid, tests::timestamptz_oid, tests::numeric_oid}) {
    try {
      RC_ASSERT(nlohmann::json::accept(json_of(oid, text)));
    } catch (const cdc::EncodingError&) {
    }
  }
}

RC_GTEST_PROP(JsonValues, IntegersComeBack, (std::int64_t number)) {
  RC_ASSERT((nlohmann::json::parse(json_of(tests::int8_oid, std::to_string(number))) == number));
}

RC_GTEST_PROP(JsonValues, FloatsComeBack, (std::uint64_t bits)) {
  double number = 0;
  std::memcpy(&number, &bits, sizeof number);
  RC_PRE(std::isfinite(number));
  char shortest[32];
  const char* const end = std::to_chars(shortest, shortest + sizeof shortest, number).ptr;
  const std::string json = json_of(tests::float8_oid, {static_cast<const char*>(shortest), end});
  RC_ASSERT(nlohmann::json::parse(json).get<double>() == number);
}

}  // namespace
}  // namespace pgcourier::sinks::encoding
