#include "sinks/kafka_bookmark.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "tests/sinks/kafka_support.hpp"

namespace pgcourier::sinks {
namespace {

using protocol::Lsn;
using tests::kafka_bookmark;

KafkaBookmark at(std::uint64_t position, std::uint64_t resets = 0, std::uint32_t timeline = 1) {
  KafkaBookmark record{kafka_bookmark(position), resets};
  record.bookmark.identity.timeline = timeline;
  return record;
}

TEST(KafkaBookmark, IsReadBackAsWritten) {
  EXPECT_EQ(parse_kafka_bookmark(to_json(at(0x10, 3))), at(0x10, 3));
  EXPECT_EQ(parse_kafka_bookmark(cdc::to_json(kafka_bookmark(0x10))), at(0x10));
  EXPECT_EQ(to_json(at(0x10, 3)),
            R"({"system_identifier":"7000000000000000001","timeline":1,"database":"shop",)"
            R"("slot":"shop","delivered":"0/10","position":"0/10","resets":3})");
}

TEST(KafkaBookmark, RefusesWhatIsNone) {
  const auto whole = to_json(at(0x10, 3));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_kafka_bookmark(whole.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(parse_kafka_bookmark(whole + "}"), std::nullopt);
  EXPECT_EQ(parse_kafka_bookmark(R"({"resets":3})"), std::nullopt);
  auto minus = whole;
  minus.replace(minus.find(":3}"), 3, ":-3}");
  EXPECT_EQ(parse_kafka_bookmark(minus), std::nullopt);
}

TEST(KafkaBookmark, AnOlderOneThatComesLateChangesNothing) {
  EXPECT_EQ(fold(at(0x30), at(0x20)), at(0x30));
  EXPECT_EQ(fold(at(0x20), at(0x30)), at(0x30));
}

TEST(KafkaBookmark, DeliveredCountsOnItsOwn) {
  auto known = at(0x30);
  known.bookmark.position.delivered = Lsn{0x10};
  const auto both = fold(known, at(0x20));
  EXPECT_EQ(both.bookmark.position, (cdc::Position{Lsn{0x20}, Lsn{0x30}}));
}

TEST(KafkaBookmark, AHigherTimelineCountsWhateverItsPosition) {
  EXPECT_EQ(fold(at(0x30), at(0x20, 0, 2)), at(0x20, 0, 2));
  EXPECT_EQ(fold(at(0x20, 0, 2), at(0x30)), at(0x20, 0, 2));
}

TEST(KafkaBookmark, NothingOfBeforeAResetCounts) {
  auto elsewhere = at(0x40);
  elsewhere.bookmark.identity.slot = "other";
  EXPECT_EQ(fold(at(0x30), at(0x20, 1)), at(0x20, 1));
  EXPECT_EQ(fold(at(0x20, 1), at(0x30)), at(0x20, 1));
  EXPECT_EQ(fold(at(0x20, 1), at(0x30, 0, 2)), at(0x20, 1));
  EXPECT_EQ(fold(at(0x20, 1), elsewhere), at(0x20, 1));
}

TEST(KafkaBookmark, GoesOnWithoutAResetUnlessAPositionFalls) {
  EXPECT_EQ(next_record(std::nullopt, kafka_bookmark(0x10)), at(0x10));
  EXPECT_EQ(next_record(at(0x10, 2), kafka_bookmark(0x10)), at(0x10, 2));
  EXPECT_EQ(next_record(at(0x10, 2), kafka_bookmark(0x20)), at(0x20, 2));
  EXPECT_EQ(next_record(at(0x20, 2), kafka_bookmark(0x10)), at(0x10, 3));
  EXPECT_EQ(next_record(at(0x20, 2), at(0x10, 0, 2).bookmark), at(0x10, 2, 2));
  EXPECT_EQ(next_record(at(0x10, 2, 2), kafka_bookmark(0x20)), at(0x20, 3));
  for (auto member : {&cdc::StreamIdentity::system_identifier, &cdc::StreamIdentity::database,
                      &cdc::StreamIdentity::slot}) {
    auto elsewhere = kafka_bookmark(0x20);
    elsewhere.identity.*member = "other";
    EXPECT_EQ(next_record(at(0x10, 2), elsewhere), (KafkaBookmark{elsewhere, 3}));
  }
}

// Sessions one after another, each going on from what it reads, some set back, while records of
// earlier ones come at any time: what is read is always what the newest session wrote, or more of
// the same reset and timeline.
TEST(KafkaBookmark, WhatIsReadIsNeverLowerThanWhatTheNewestSessionWrote) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& choices) {
    std::vector<KafkaBookmark> written{at(100)};
    KafkaBookmark newest = at(100);
    KafkaBookmark read = newest;
    for (const auto choice : choices) {
      switch (choice % 4) {
        case 0:  // goes on, or is set back
          newest = next_record(read, kafka_bookmark(choice / 4 % 200 + 1));
          break;
        case 1:  // a promotion, which may cut a quiet position
          newest = read;
          ++newest.bookmark.identity.timeline;
          newest.bookmark.position.position =
              std::max(newest.bookmark.position.delivered,
                       Lsn{newest.bookmark.position.position.value - choice / 4 % 2});
          newest = next_record(read, newest.bookmark);
          break;
        case 2:
          newest.bookmark.position.position.value += choice / 4 % 10;
          break;
        default:  // a zombie
          read = fold(read, written[choice / 4 % written.size()]);
          RC_ASSERT(read == fold(read, newest));
          continue;
      }
      written.push_back(newest);
      read = fold(read, newest);
      RC_ASSERT(read.resets == newest.resets);
      RC_ASSERT(read.bookmark.identity == newest.bookmark.identity);
      RC_ASSERT(read.bookmark.position.position >= newest.bookmark.position.position);
    }
  }));
}

}  // namespace
}  // namespace pgcourier::sinks
