#include "cdc/ack_tracker.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
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

// A million transactions without an event here, behind one that nobody acknowledges.
TEST(AckTracker, HoldsNoMoreForUnitsThatOnlyWaitForTheOneBeforeThem) {
  AckTracker acks({});
  const auto first = acks.begin();
  acks.expect(1);
  acks.commit(Lsn{1});
  std::size_t most = 0;
  for (std::uint64_t i = 2; i <= 1'000'000; ++i) {
    acks.begin();
    acks.commit(Lsn{i});
    most = std::max(most, acks.size());
  }
  EXPECT_LE(most, 130U);
  EXPECT_EQ(acks.durable().position, Lsn{});
  acks.acknowledge({first, 1});
  EXPECT_EQ(acks.durable().position, Lsn{1'000'000});
  EXPECT_EQ(acks.durable().delivered, Lsn{1});
  EXPECT_TRUE(acks.idle());
}

// As when one topic has no leader while the others take theirs.
TEST(AckTracker, HoldsNoMoreForUnitsThatWereDeliveredBeforeAnEarlierOne) {
  AckTracker acks({});
  const auto first = acks.begin();
  acks.expect(1);
  acks.commit(Lsn{1});
  std::size_t most = 0;
  for (std::uint64_t i = 2; i <= 100'000; ++i) {
    const auto unit = acks.begin();
    acks.expect(1);
    acks.commit(Lsn{i});
    acks.acknowledge({unit, 1});
    most = std::max(most, acks.size());
  }
  EXPECT_LE(most, 130U);
  EXPECT_EQ(acks.durable(), Position{});
  acks.acknowledge({first, 1});
  EXPECT_EQ(acks.durable(), (Position{Lsn{100'000}, Lsn{100'000}}));
}

TEST(AckTracker, RefusesASecondDeliveryOfAUnitThatWasMerged) {
  AckTracker acks({});
  acks.begin();
  acks.expect(1);
  acks.commit(Lsn{1});
  for (std::uint64_t i = 2; i <= 1000; ++i) {
    const auto unit = acks.begin();
    acks.expect(1);
    acks.commit(Lsn{i});
    acks.acknowledge({unit, 1});
    EXPECT_THROW(acks.acknowledge({unit, 1}), SinkError);
  }
}

// What an AckTracker is, without a thought of memory: every unit is kept, nothing is merged.
class Model {
 public:
  explicit Model(Position start) : durable_(start) {}

  TransactionNumber begin() {
    units_.push_back({});
    return units_.size() - 1;
  }
  void expect(std::size_t deliveries) {
    units_.back().outstanding += deliveries;
    units_.back().has_events = true;
  }
  void commit(Lsn end_lsn) {
    units_.back().end = end_lsn;
    units_.back().whole = true;
    settle();
  }
  void acknowledge(TransactionNumber number) {
    --units_[number].outstanding;
    settle();
  }
  void sent_up_to(Lsn lsn) {
    if (settled_ == units_.size()) {
      durable_.position = std::max(durable_.position, lsn);
    } else if (units_.back().whole) {
      units_.back().quiet_until = std::max(units_.back().quiet_until, lsn);
    }
  }

  const Position& durable() const { return durable_; }
  bool idle() const { return settled_ == units_.size(); }
  bool waits_for_whole_units() const { return !idle() && units_[settled_].whole; }

 private:
  struct Unit {
    std::size_t outstanding = 0;
    bool has_events = false;
    bool whole = false;
    Lsn end;
    Lsn quiet_until;
  };

  void settle() {
    for (; settled_ < units_.size(); ++settled_) {
      const Unit& unit = units_[settled_];
      if (!unit.whole || unit.outstanding > 0) return;
      if (unit.has_events) durable_.delivered = std::max(durable_.delivered, unit.end);
      durable_.position = std::max({durable_.position, unit.end, unit.quiet_until});
    }
  }

  std::vector<Unit> units_;
  std::size_t settled_ = 0;
  Position durable_;
};

// One history for both, step by step. Acknowledgements come in any order, those of the first unit
// seldom, so that much is merged.
class Comparison {
 public:
  void step(std::uint16_t choice) {
    switch (choice % 5) {
      case 0:
        begin();
        break;
      case 1:
        commit();
        break;
      case 2:
        expect(choice / 5 % 3 + 1);
        break;
      case 3:
        hear();
        break;
      default:
        if (!pending_.empty()) acknowledge(pending_.size() - 1 - choice / 5 % pending_.size());
    }
    compare();
  }

  void empty_unit() {
    begin();
    commit();
    compare();
  }

  void finish() {
    begin();
    commit();
    while (!pending_.empty()) {
      acknowledge(*rc::gen::inRange<std::size_t>(0, pending_.size()));
      compare();
    }
    RC_ASSERT(acks_.idle());
    RC_ASSERT(acks_.durable().position == at_);
  }

 private:
  void begin() {
    if (open_) commit();
    RC_ASSERT(acks_.begin() == (unit_ = model_.begin()));
    open_ = true;
  }
  void commit() {
    if (!open_) return;
    open_ = false;
    at_.value += 10;
    acks_.commit(at_);
    model_.commit(at_);
  }
  void expect(std::size_t deliveries) {
    if (!open_) return;
    acks_.expect(deliveries);
    model_.expect(deliveries);
    pending_.insert(pending_.end(), deliveries, unit_);
  }
  void hear() {
    if (!open_) at_.value += 1;
    acks_.sent_up_to(at_);
    model_.sent_up_to(at_);
  }
  void acknowledge(std::size_t which) {
    const auto unit = pending_[which];
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(which));
    acks_.acknowledge({unit, 1});
    model_.acknowledge(unit);
  }
  void compare() {
    RC_ASSERT(acks_.durable() == model_.durable());
    RC_ASSERT(acks_.idle() == model_.idle());
    RC_ASSERT(acks_.waits_for_whole_units() == model_.waits_for_whole_units());
    RC_ASSERT(acks_.size() <= 2 * (pending_.size() + 1) + 64);
  }

  AckTracker acks_{{Lsn{3}, Lsn{5}}};
  Model model_{{Lsn{3}, Lsn{5}}};
  std::vector<TransactionNumber> pending_;  // one entry an outstanding delivery
  TransactionNumber unit_ = 0;
  bool open_ = false;
  Lsn at_{10};
};

TEST(AckTracker, MergingChangesNoPositionInAnyInterleaving) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& choices) {
    Comparison comparison;
    for (const auto choice : choices) {
      comparison.step(choice);
      // Many at once, so that a short history merges too.
      for (int i = 0; i < choice / 100 % 40; ++i) comparison.empty_unit();
    }
    comparison.finish();
  }));
}

}  // namespace
}  // namespace pgcourier::cdc
