#include "cdc/bookmark.hpp"

#include <gtest/gtest.h>

namespace pgcourier::cdc {
namespace {

const Bookmark sample{{"7301", 2, "shop \"é\"", "shop"},
                      {protocol::Lsn{0x16B3830}, protocol::Lsn{0x16B3900}}};

TEST(Bookmark, ReadsBackWhatItWrote) { EXPECT_EQ(parse_bookmark(to_json(sample)), sample); }

TEST(Bookmark, IsReadableByPeople) {
  EXPECT_EQ(to_json(sample),
            R"({"system_identifier":"7301","timeline":2,"database":"shop \"é\"","slot":"shop",)"
            R"("delivered":"0/16B3830","position":"0/16B3900"})");
}

TEST(Bookmark, EveryTruncationIsTorn) {
  const std::string whole = to_json(sample);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_bookmark(whole.substr(0, length))) << length;
  }
}

TEST(Bookmark, RefusesPositionsThatContradictEachOther) {
  Bookmark wrong = sample;
  wrong.position.position = protocol::Lsn{1};
  EXPECT_FALSE(parse_bookmark(to_json(wrong)));
}

TEST(Bookmark, IgnoresMembersAddedLater) {
  std::string later = to_json(sample);
  later.insert(1, R"("added":1,)");
  EXPECT_EQ(parse_bookmark(later), sample);
}

}  // namespace
}  // namespace pgcourier::cdc
