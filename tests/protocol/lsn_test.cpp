#include "protocol/lsn.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace pgcourier::protocol {
namespace {

TEST(Lsn, IsWrittenAsPostgresWritesIt) {
  EXPECT_EQ(to_string(Lsn{}), "0/0");
  EXPECT_EQ(to_string(Lsn{0x16'B374'D848}), "16/B374D848");
  EXPECT_EQ(to_string(Lsn{0x1'0000'000F}), "1/F");
  EXPECT_EQ(to_string(Lsn{~std::uint64_t{0}}), "FFFFFFFF/FFFFFFFF");
}

TEST(Lsn, IsReadInEitherCaseAndWithLeadingZeros) {
  EXPECT_EQ(parse_lsn("16/b374d848"), Lsn{0x16'B374'D848});
  EXPECT_EQ(parse_lsn("00000000/0000000A"), Lsn{10});
}

TEST(Lsn, IsNothingElse) {
  for (const auto* text : {"", "/", "1", "1/", "/1", "1/2/3", "1/2 ", " 1/2", "-1/2", "1/-2",
                           "+1/2", "0x1/2", "1/G", "123456789/0", "0/123456789", "1//2"}) {
    EXPECT_EQ(parse_lsn(text), std::nullopt) << text;
  }
}

RC_GTEST_PROP(Lsn, ComesBackFromText, (std::uint64_t value)) {
  RC_ASSERT(parse_lsn(to_string(Lsn{value})) == Lsn{value});
}

RC_GTEST_PROP(Lsn, ParsesAnyText, (const std::string& text)) {
  const auto lsn = parse_lsn(text);
  RC_ASSERT(!lsn || parse_lsn(to_string(*lsn)) == lsn);
}

}  // namespace
}  // namespace pgcourier::protocol
