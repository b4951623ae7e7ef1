#include "protocol/sasl_prep.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace pgcourier::protocol {
namespace {

using namespace std::string_literals;

void expect_raw(const std::string& password) { EXPECT_EQ(sasl_prep(password), password); }

TEST(SaslPrep, AgreesWithTheExamplesOfRfc4013) {
  EXPECT_EQ(sasl_prep("I\u00ADX"), "IX");
  EXPECT_EQ(sasl_prep("user"), "user");
  EXPECT_EQ(sasl_prep("USER"), "USER");
  EXPECT_EQ(sasl_prep("\u00AA"), "a");
  EXPECT_EQ(sasl_prep("\u2168"), "IX");
  expect_raw("\x07");
  expect_raw("\u0627\u0031");
}

TEST(SaslPrep, MapsSpacesAndNormalizes) {
  EXPECT_EQ(sasl_prep("a\u00A0b\u3000c"), "a b c");
  EXPECT_EQ(sasl_prep("a\u200Bb"), "a b");  // a space before it is nothing
  EXPECT_EQ(sasl_prep("\uFF50\uFF47"), "pg");
  EXPECT_EQ(sasl_prep("\uFB01sh"), "fish");
  EXPECT_EQ(sasl_prep("e\u0301"), "\u00E9");
  EXPECT_EQ(sasl_prep("\uFDFA").size(), 33U);
}

TEST(SaslPrep, LeavesAsciiAlone) {
  expect_raw("");
  expect_raw("tab\tand\x7f");
}

TEST(SaslPrep, LeavesWhatIsProhibited) {
  expect_raw("\u00E9\x01");
  expect_raw("\uE000\u00A0");      // private use
  expect_raw("\U000E0001\u00A0");  // a tag
  expect_raw("\u0221\u00A0");      // not assigned in Unicode 3.2
  expect_raw("\u00AD");            // nothing would be left
  expect_raw("\u00A0\0"s);
}

TEST(SaslPrep, LeavesWhatIsNotUtf8) {
  expect_raw("\u00A0\xff");
  expect_raw("\u00A0\xc3");              // cut short
  expect_raw("\u00A0\xc0\x80");          // overlong
  expect_raw("\u00A0\xed\xa0\x80");      // a surrogate
  expect_raw("\u00A0\xf4\x90\x80\x80");  // above U+10FFFF
}

TEST(SaslPrep, LeavesWhatMixesDirections) {
  EXPECT_EQ(sasl_prep("\u05D0\u00A0\u05D1"), "\u05D0 \u05D1");
  expect_raw("\u05D0\u00A0a\u05D1");
  expect_raw("\u05D0\u00A01");
}

TEST(SaslPrep, ChecksBeforeItNormalizes) {
  expect_raw("\u0340\u00A0");  // prohibited, though U+0300 is not
  // TEL, which runs from left to right, comes out, but the sign that went in has no direction.
  EXPECT_EQ(sasl_prep("\u05D0\u2121\u05D1"), "\u05D0TEL\u05D1");
}

TEST(SaslPrep, KnowsCorrigendum4) {
  EXPECT_EQ(sasl_prep("\U0002F868\U0002F874\U0002F91F\U0002F95F\U0002F9BF"),
            "\u36FC\u5F53\U000243AB\u7AEE\u45D7");
}

RC_GTEST_PROP(SaslPrep, ChangesNothingTheSecondTime, (const std::string& password)) {
  const std::string once = sasl_prep(password);
  RC_ASSERT(sasl_prep(once) == once);
}

}  // namespace
}  // namespace pgcourier::protocol
