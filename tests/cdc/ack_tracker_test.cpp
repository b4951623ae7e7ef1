#include "cdc/ack_tracker.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

namespace pgcourier::cdc {
namespace {

using protocol::Lsn;

TEST(AckTracker, HoldsThePositionBackUntilEarlierUnitsAreDurable) {
  AckTracker acks({});
  const auto first = acks.begin();
  acks.expect(2);
  acks.commit(Lsn{100});
  const auto second = acks.begin();
  acks.expect(1);
  acks.commit(Lsn{200});

  acks.acknowledge({second, 1});
  EXPECT_EQ(acks.durable().position, Lsn{});  // the first one is still on its way

  acks.acknowledge({first, 2});
  EXPECT_EQ(acks.durable().position, Lsn{200});
  EXPECT_EQ(acks.durable().delivered, Lsn{200});
  EXPECT_TRUE(acks.idle());
}

TEST(AckTracker, StartsWhereTheBookmarkStandsAndNeverFallsBelowIt) {
  AckTracker acks({Lsn{500}, Lsn{700}});
  acks.begin();
  acks.commit(Lsn{600});  // skipped: the sink has it
  EXPECT_EQ(acks.durable().delivered, Lsn{500});
  EXPECT_EQ(acks.durable().position, Lsn{700});
}

TEST(AckTracker, AnEmptyUnitMovesThePositionButNotWhatWasDelivered) {
  AckTracker acks({});
  acks.begin();
  acks.commit(Lsn{100});
  EXPECT_EQ(acks.durable().position, Lsn{100});
  EXPECT_EQ(acks.durable().delivered, Lsn{});
}

TEST(AckTracker, TakesAKeepaliveAtOnceWhenNothingIsInFlight) {
  AckTracker acks({});
  acks.sent_up_to(Lsn{300});
  EXPECT_EQ(acks.durable().position, Lsn{300});
}

TEST(AckTracker, TakesAKeepaliveOnlyAfterWhatCameBeforeIt) {
  AckTracker acks({});
  const auto unit = acks.begin();
  acks.expect(1);
  acks.commit(Lsn{100});
  acks.sent_up_to(Lsn{300});
  EXPECT_EQ(acks.durable().position, Lsn{});
  acks.acknowledge({unit, 1});
  EXPECT_EQ(acks.durable().position, Lsn{300});
  EXPECT_EQ(acks.durable().delivered, Lsn{100});
}

TEST(AckTracker, IgnoresAKeepaliveInsideATransaction) {
  AckTracker acks({});
  acks.begin();
  acks.expect(1);
  acks.sent_up_to(Lsn{300});
  EXPECT_EQ(acks.durable().position, Lsn{});
}

TEST(AckTracker, AnOpenUnitIsNotAWholeOneToWaitFor) {
  AckTracker acks({});
  acks.begin();
  acks.expect(1);
  EXPECT_FALSE(acks.waits_for_whole_units());
  EXPECT_FALSE(acks.idle());
  acks.commit(Lsn{10});
  EXPECT_TRUE(acks.waits_for_whole_units());
}

TEST(AckTracker, RefusesADeliveryThatNobodyExpects) {
  AckTracker acks({});
  EXPECT_THROW(acks.acknowledge({0, 1}), SinkError);
  const auto unit = acks.begin();
  acks.expect(1);
  EXPECT_THROW(acks.acknowledge({unit, 2}), SinkError);
  EXPECT_THROW(acks.acknowledge({unit + 1, 1}), SinkError);
}

// Any history of units, acknowledged in any order: the position is always the end of the longest
// prefix that is wholly durable, and never falls.
TEST(AckTracker, ThePositionIsTheLongestDurablePrefixWhateverTheOrder) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& sizes) {
    AckTracker acks({});
    std::vector<TransactionNumber> pending;  // one entry an outstanding delivery
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const auto unit = acks.begin();
      RC_ASSERT(unit == i);
      const std::size_t events = sizes[i] % 4;
      if (events > 0) acks.expect(events);
      acks.commit(Lsn{(i + 1) * 10});
      left.push_back(events);
      pending.insert(pending.end(), events, unit);
    }
    Lsn before;
    while (!pending.empty()) {
      const auto pick = *rc::gen::inRange<std::size_t>(0, pending.size());
      const auto unit = pending[pick];
      pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(pick));
      acks.acknowledge({unit, 1});
      --left[unit];
      std::size_t prefix = 0;
      while (prefix < left.size() && left[prefix] == 0) ++prefix;
      RC_ASSERT(acks.durable().position == Lsn{prefix * 10});
      RC_ASSERT(acks.durable().position >= before);
      before = acks.durable().position;
    }
    RC_ASSERT(acks.idle());
  }));
}

}  // namespace
}  // namespace pgcourier::cdc
