// Rules 7–9 of delivery.md, row by row, and as properties over generated histories.
#include "cdc/start_check.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace pgcourier::cdc {
namespace {

using protocol::Lsn;

ServerView server_at(std::uint64_t flushed, std::uint64_t confirmed) {
  ServerView server;
  server.identity = {"7301", 1, "shop", "slot_a"};
  server.flushed = Lsn{flushed};
  server.confirmed_flush = Lsn{confirmed};
  return server;
}

SinkMemory remembers(std::uint64_t delivered, std::uint64_t position) {
  return {"files", true, Bookmark{{"7301", 1, "shop", "slot_a"}, {Lsn{delivered}, Lsn{position}}}};
}

const SinkMemory forgetful{"files", true, std::nullopt};

std::string refusal(const ServerView& server, std::vector<SinkMemory> sinks,
                    const Acceptance& acceptance = {}) {
  const auto verdict = check_start(server, sinks, acceptance, false, false);
  const auto* refused = std::get_if<Refusal>(&verdict);
  if (!refused) {
    ADD_FAILURE() << "not refused";
    return "";
  }
  EXPECT_EQ(refused->exit_code, 66);
  return refused->what;
}

StartPositions accepted(const ServerView& server, std::vector<SinkMemory> sinks,
                        const Acceptance& acceptance = {}, bool fresh = false) {
  const auto verdict = check_start(server, sinks, acceptance, fresh, false);
  if (const auto* refused = std::get_if<Refusal>(&verdict)) {
    ADD_FAILURE() << refused->what;
    return {};
  }
  return std::get<StartPositions>(verdict);
}

bool names(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(StartCheck, AHealthyPipelineGoesOnFromItsBookmark) {
  const auto start = accepted(server_at(1000, 400), {remembers(450, 500)});
  EXPECT_EQ(start.positions, (std::vector<Position>{{Lsn{450}, Lsn{500}}}));
  EXPECT_TRUE(start.warnings.empty());
}

TEST(StartCheck, ASlotPastTheBookmarkWasMovedBySomebodyElse) {
  const auto what = refusal(server_at(1000, 600), {remembers(450, 500)});
  EXPECT_TRUE(names(what, "0/258"));               // 600
  EXPECT_TRUE(names(what, "--accept-gap=0/1F4"));  // 500
}

TEST(StartCheck, TheGapIsAcceptedOnlyByItsOwnPosition) {
  const auto server = server_at(1000, 600);
  refusal(server, {remembers(450, 500)}, {.gap = Lsn{499}});
  const auto start = accepted(server, {remembers(450, 500)}, {.gap = Lsn{500}});
  EXPECT_EQ(start.positions[0].position, Lsn{600});
  EXPECT_EQ(start.warnings.size(), 1u);
}

TEST(StartCheck, AnotherClusterIsRefused) {
  auto server = server_at(1000, 400);
  server.identity.system_identifier = "9999";
  const auto what = refusal(server, {remembers(450, 500)});
  EXPECT_TRUE(names(what, "another cluster"));
  EXPECT_TRUE(names(what, "--accept-identity=9999.1@0/1F4"));
}

TEST(StartCheck, AnotherDatabaseOrSlotIsRefused) {
  auto server = server_at(1000, 400);
  server.identity.database = "other";
  EXPECT_TRUE(names(refusal(server, {remembers(450, 500)}), "another database"));
  server = server_at(1000, 400);
  server.identity.slot = "slot_b";
  EXPECT_TRUE(names(refusal(server, {remembers(450, 500)}), "another slot"));
}

TEST(StartCheck, AnAcceptedIdentityStartsAtTheSlotAndAcceptsNothingElse) {
  auto server = server_at(1000, 400);
  server.identity.system_identifier = "9999";
  const Acceptance acceptance{.identity = "9999.1@0/1F4"};
  EXPECT_EQ(accepted(server, {remembers(450, 500)}, acceptance).positions[0],
            (Position{Lsn{}, Lsn{400}}));
  refusal(server, {remembers(450, 501)}, acceptance);
}

TEST(StartCheck, OneIdentityIsAcceptedForSinksThatStandApart) {
  auto server = server_at(1000, 400);
  server.identity.system_identifier = "9999";
  const std::vector<SinkMemory> sinks{remembers(450, 600), remembers(450, 500)};
  EXPECT_TRUE(names(refusal(server, sinks), "--accept-identity=9999.1@0/1F4"));
  EXPECT_EQ(accepted(server, sinks, {.identity = "9999.1@0/1F4"}).positions.size(), 2u);
}

TEST(StartCheck, APromotedServerBehindWhatWasDeliveredIsDivergence) {
  auto server = server_at(1000, 300);
  server.identity.timeline = 2;
  server.history = {{1, Lsn{440}}};
  EXPECT_TRUE(names(refusal(server, {remembers(450, 500)}), "divergence"));
}

TEST(StartCheck, APromotedServerThatHasAllGoesOnAndAQuietPositionCountsAsTheSwitch) {
  auto server = server_at(1000, 300);
  server.identity.timeline = 2;
  server.history = {{1, Lsn{450}}};
  EXPECT_EQ(accepted(server, {remembers(450, 500)}).positions[0], (Position{Lsn{450}, Lsn{450}}));
}

TEST(StartCheck, ATimelineOutsideTheServersHistoryIsARestoredCopy) {
  auto server = server_at(1000, 300);
  auto memory = remembers(450, 500);
  memory.bookmark->identity.timeline = 3;
  EXPECT_TRUE(names(refusal(server, {memory}), "restored copy"));
}

TEST(StartCheck, ACopyRestoredToBeforeTheBookmarkIsRefused) {
  EXPECT_TRUE(names(refusal(server_at(440, 300), {remembers(450, 500)}), "divergence"));
}

TEST(StartCheck, AStandbyIsWaitedForUntilItHasReplayedWhatWasDelivered) {
  auto server = server_at(440, 300);
  server.standby = true;
  const std::vector<SinkMemory> sinks{remembers(450, 500)};
  const auto verdict = check_start(server, sinks, {}, false, false);
  ASSERT_TRUE(std::holds_alternative<WaitForReplay>(verdict));
  EXPECT_EQ(std::get<WaitForReplay>(verdict).until, Lsn{450});
}

TEST(StartCheck, WithoutABookmarkASinkStartsAtTheSlotWithAWarning) {
  const auto start = accepted(server_at(1000, 400), {forgetful});
  EXPECT_EQ(start.positions[0], (Position{Lsn{}, Lsn{400}}));
  EXPECT_EQ(start.warnings.size(), 1u);
  EXPECT_TRUE(accepted(server_at(1000, 400), {forgetful}, {}, true).warnings.empty());
}

TEST(StartCheck, ANewSinkBesideAnOldOneStartsAtTheSlotWithAWarning) {
  const auto start = accepted(server_at(1000, 400), {remembers(450, 500), forgetful});
  EXPECT_EQ(start.positions[0].position, Lsn{500});
  EXPECT_EQ(start.positions[1].position, Lsn{400});
  EXPECT_EQ(start.warnings.size(), 1u);
}

TEST(StartCheck, ASinkWithoutBookmarksNeedsNoWarning) {
  const SinkMemory null{"null", false, std::nullopt};
  EXPECT_TRUE(accepted(server_at(1000, 400), {null}).warnings.empty());
}

// Whatever the numbers: a start is only given where no sink would skip what it never had, nothing
// delivered lies outside the server's history, and no position is past what the server has.
TEST(StartCheck, NeverStartsWhereSomethingWouldBeLost) {
  EXPECT_TRUE(rc::check([] {
    const auto number = [] { return *rc::gen::inRange<std::uint64_t>(1, 20); };
    auto server = server_at(number(), number());
    const bool promoted = *rc::gen::arbitrary<bool>();
    if (promoted) {
      server.identity.timeline = 2;
      server.history = {{1, Lsn{number()}}};
    }
    const auto delivered = number();
    const auto memory = remembers(delivered, delivered + number());
    const std::vector<SinkMemory> sinks{memory};
    const auto verdict = check_start(server, sinks, {}, false, false);
    const Lsn common = promoted ? server.history[0].switch_lsn : server.flushed;
    if (const auto* start = std::get_if<StartPositions>(&verdict)) {
      const auto position = start->positions[0];
      RC_ASSERT(position.delivered == Lsn{delivered});
      RC_ASSERT(position.delivered <= common);
      RC_ASSERT(position.position <= common);
      RC_ASSERT(position.position >= server.confirmed_flush);
      RC_ASSERT(position.position <= memory.bookmark->position.position);
    } else {
      const auto reachable = std::min(memory.bookmark->position.position, common);
      RC_ASSERT(Lsn{delivered} > common || reachable < server.confirmed_flush);
    }
  }));
}

TEST(DecideSlot, AMissingSlotIsMadeOnlyWithoutABookmark) {
  const auto decide = [](SlotState state, bool create, std::vector<SinkMemory> sinks,
                         Acceptance acceptance = {}) {
    return decide_slot(server_at(1000, 0), state, "wal_removed", create, sinks, acceptance);
  };
  EXPECT_FALSE(std::get<SlotUse>(decide(SlotState::present, false, {})).create);
  EXPECT_TRUE(std::get<SlotUse>(decide(SlotState::missing, true, {forgetful})).create);
  EXPECT_EQ(std::get<Refusal>(decide(SlotState::missing, false, {forgetful})).exit_code, 78);

  const auto lost = decide(SlotState::missing, true, {remembers(450, 500)});
  ASSERT_TRUE(std::holds_alternative<Refusal>(lost));
  EXPECT_EQ(std::get<Refusal>(lost).exit_code, 66);
  EXPECT_TRUE(names(std::get<Refusal>(lost).what, "--accept-gap=0/1F4"));
  const auto invalidated =
      std::get<Refusal>(decide(SlotState::invalidated, true, {remembers(450, 500)}));
  EXPECT_EQ(invalidated.exit_code, 66);
  EXPECT_TRUE(names(invalidated.what, "wal_removed"));

  const auto use = std::get<SlotUse>(
      decide(SlotState::missing, false, {remembers(450, 500)}, {.gap = Lsn{500}}));
  EXPECT_TRUE(use.create);
  EXPECT_TRUE(use.gap_accepted);
  EXPECT_EQ(
      std::get<Refusal>(decide(SlotState::missing, true, {remembers(450, 500)}, {.gap = Lsn{501}}))
          .exit_code,
      66);
}

TEST(DecideSlot, ASlotThatIsGoneWithItsServerIsMadeByAcceptingTheServer) {
  auto server = server_at(1000, 0);
  server.identity.timeline = 2;
  server.history = {{1, Lsn{440}}};
  const std::vector<SinkMemory> sinks{remembers(450, 500)};
  const auto decide = [&](const Acceptance& acceptance) {
    return decide_slot(server, SlotState::missing, "", false, sinks, acceptance);
  };
  for (const auto& acceptance :
       {Acceptance{}, Acceptance{.gap = Lsn{500}}, Acceptance{.identity = "7301.1@0/1F4"}}) {
    const auto refused = std::get<Refusal>(decide(acceptance));
    EXPECT_EQ(refused.exit_code, 66);
    EXPECT_TRUE(names(refused.what, "divergence"));
    EXPECT_TRUE(names(refused.what, "--accept-identity=7301.2@0/1F4"));
    EXPECT_TRUE(names(refused.what, "slot_a does not exist"));
  }
  const auto use = std::get<SlotUse>(decide({.identity = "7301.2@0/1F4"}));
  EXPECT_TRUE(use.create);
  EXPECT_TRUE(use.gap_accepted);
}

}  // namespace
}  // namespace pgcourier::cdc
