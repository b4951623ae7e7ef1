#include "cdc/daemon/checks/slot_checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "cdc/daemon/stop_error.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using replication::Holder;
using replication::SlotInfo;
using testing::HasSubstr;

config::Settings shop_settings() {
  config::Settings settings;
  settings.name = "shop";
  settings.source.slot = "shop_slot";
  return settings;
}

SlotInfo our_slot() {
  SlotInfo slot;
  slot.slot = "shop_slot";
  slot.plugin = "pgoutput";
  slot.slot_type = "logical";
  slot.database = "shop";
  slot.wal_status = "reserved";
  return slot;
}

SlotInfo active_slot() {
  auto slot = our_slot();
  slot.active = true;
  slot.active_pid = 4711;
  return slot;
}

SlotView view(const std::optional<SlotInfo>& slot) {
  return view_slot(slot, shop_settings().source, "shop");
}

ServerView server() {
  ServerView server;
  server.identity = {"7301", 1, "shop", "shop"};
  server.flushed = protocol::Lsn{0x1000};
  return server;
}

// Of check_slot() without sinks that remember anything.
Findings found(const std::optional<SlotInfo>& slot, const std::optional<Holder>& holder = {},
               const config::Settings& settings = shop_settings()) {
  Findings findings;
  check_slot(slot, holder, settings, server(), {}, findings);
  return findings;
}

TEST(ViewSlot, SaysThatItIsMissing) { EXPECT_EQ(view(std::nullopt).state, SlotState::missing); }

TEST(ViewSlot, TakesASlotAsWholeWhileItsWalIsThere) {
  for (const char* wal_status : {"reserved", "extended", "unreserved", ""}) {
    auto slot = our_slot();
    slot.wal_status = wal_status;
    EXPECT_EQ(view(slot).state, SlotState::present) << wal_status;
    EXPECT_EQ(view(slot).reason, "");
  }
  EXPECT_EQ(view(active_slot()).state, SlotState::present);
}

TEST(ViewSlot, GivesTheServersReasonForAnInvalidatedOne) {
  struct Case {
    const char* wal_status;
    const char* invalidation_reason;
    const char* reason;
  };
  constexpr Case cases[] = {
      {"lost", "", "wal_status lost"},
      {"lost", "wal_removed", "wal_removed"},
      {"reserved", "rows_removed", "rows_removed"},
      {"extended", "wal_level_insufficient", "wal_level_insufficient"},
      {"reserved", "idle_timeout", "idle_timeout"},
      {"reserved", "conflicting", "conflicting"},
  };
  for (const auto& expected : cases) {
    auto slot = our_slot();
    slot.wal_status = expected.wal_status;
    slot.invalidation_reason = expected.invalidation_reason;
    EXPECT_EQ(view(slot).state, SlotState::invalidated) << expected.reason;
    EXPECT_THAT(view(slot).reason, testing::StartsWith(expected.reason));
  }
}

TEST(ViewSlot, RefusesASlotThatServesSomethingElse) {
  struct Case {
    const char* says;
    std::function<void(SlotInfo&)> alter;
  };
  const Case cases[] = {
      {"it is physical, plugin ''",
       [](SlotInfo& slot) {
         slot.slot_type = "physical";
         slot.plugin = slot.database = "";
       }},
      {"plugin 'wal2json'", [](SlotInfo& slot) { slot.plugin = "wal2json"; }},
      {"database 'stock'", [](SlotInfo& slot) { slot.database = "stock"; }},
      {"it is temporary, logical", [](SlotInfo& slot) { slot.temporary = true; }},
      {"made with two_phase: set", [](SlotInfo& slot) { slot.two_phase = true; }},
      // Whose it is comes before whether it is whole.
      {"plugin 'wal2json'",
       [](SlotInfo& slot) {
         slot.plugin = "wal2json";
         slot.wal_status = "lost";
       }},
  };
  for (const auto& refused : cases) {
    auto slot = our_slot();
    refused.alter(slot);
    try {
      view(slot);
      ADD_FAILURE() << "not refused: " << refused.says;
    } catch (const StopError& error) {
      EXPECT_EQ(error.exit_code(), 78);
      EXPECT_THAT(error.what(), HasSubstr(refused.says));
      EXPECT_THAT(error.what(), testing::EndsWith("change source.slot"));
    }
    const auto findings = found(slot);
    EXPECT_EQ(findings.exit_code(), 78);
    EXPECT_THAT(findings.first_error()->what, HasSubstr(refused.says));
  }
}

TEST(ViewSlot, WantsTwoPhaseOnlyAndAlwaysIfTheSettingsDo) {
  auto source = shop_settings().source;
  source.two_phase = true;
  auto slot = our_slot();
  try {
    view_slot(slot, source, "shop");
    ADD_FAILURE() << "not refused";
  } catch (const StopError& error) {
    EXPECT_EQ(error.exit_code(), 78);
    EXPECT_THAT(error.what(), HasSubstr("made without two_phase: set source.two_phase: false"));
  }
  slot.two_phase = true;
  EXPECT_EQ(view_slot(slot, source, "shop").state, SlotState::present);
}

TEST(SlotUser, IsReadFromTheProcessThatHoldsTheSlot) {
  struct Case {
    const char* who;
    std::optional<SlotInfo> slot;
    std::optional<Holder> holder;
    SlotUser user;
  };
  const Case cases[] = {
      {"missing", std::nullopt, std::nullopt, SlotUser::nobody},
      {"free", our_slot(), std::nullopt, SlotUser::nobody},
      {"free, the holder gone", our_slot(), Holder{4711, "stock", "walsender", ""},
       SlotUser::nobody},
      {"ours", active_slot(), Holder{4711, "shop", "walsender", "10.0.0.1"}, SlotUser::ourselves},
      {"another one", active_slot(), Holder{4711, "stock", "walsender", ""}, SlotUser::stranger},
      {"a session", active_slot(), Holder{4711, "psql", "client backend", ""}, SlotUser::unknown},
      {"not to be seen", active_slot(), Holder{4711, "", "", ""}, SlotUser::unknown},
      {"without a name", active_slot(), Holder{4711, "", "walsender", ""}, SlotUser::unknown},
      {"just gone", active_slot(), std::nullopt, SlotUser::unknown},
  };
  for (const auto& expected : cases) {
    EXPECT_EQ(user_of(expected.slot, expected.holder, "shop"), expected.user) << expected.who;
    Findings ignored;
    EXPECT_EQ(check_slot(expected.slot, expected.holder, shop_settings(), server(), {}, ignored),
              expected.user);
  }
}

TEST(CheckSlot, TellsWhoUsesIt) {
  struct Case {
    std::optional<Holder> holder;
    Severity severity;
    const char* what;
  };
  const Case cases[] = {
      {Holder{4711, "shop", "walsender", "10.0.0.1"}, Severity::ok,
       "shop_slot is in use by this pipeline, process 4711 (shop, from 10.0.0.1)"},
      {Holder{4711, "stock", "walsender", ""}, Severity::error,
       "shop_slot is in use by another program, process 4711 (stock)"},
      {Holder{4711, "psql", "client backend", ""}, Severity::warning,
       "shop_slot is in use by process 4711 (psql)"},
      {std::nullopt, Severity::warning, "shop_slot is in use by a process that can't be seen"},
  };
  for (const auto& expected : cases) {
    const auto findings = found(active_slot(), expected.holder);
    ASSERT_EQ(findings.all().size(), 2u);
    EXPECT_EQ(findings.all()[0].severity, expected.severity);
    EXPECT_EQ(findings.all()[0].what, expected.what);
    EXPECT_EQ(findings.exit_code(), expected.severity == Severity::error ? 78 : 0);
  }
  EXPECT_EQ(found(our_slot()).all()[0].what, "shop_slot is there and free");
}

TEST(CheckSlot, WarnsBeforeItsWalIsLost) {
  struct Case {
    const char* wal_status;
    std::optional<std::int64_t> left;
    Severity severity;
    const char* what;
  };
  constexpr Case cases[] = {
      {"reserved", std::nullopt, Severity::ok, "shop_slot has wal_status reserved"},
      {"reserved", 1000, Severity::ok,
       "shop_slot has wal_status reserved; 1000 bytes of WAL until it is lost"},
      {"extended", 10, Severity::warning,
       "shop_slot has wal_status extended; 10 bytes of WAL until it is lost"},
      {"unreserved", -10, Severity::warning,
       "shop_slot has wal_status unreserved; -10 bytes of WAL until it is lost"},
  };
  for (const auto& expected : cases) {
    auto slot = our_slot();
    slot.wal_status = expected.wal_status;
    slot.safe_wal_size_bytes = expected.left;
    const auto finding = found(slot).all().back();
    EXPECT_EQ(finding.name, "slot_wal");
    EXPECT_EQ(finding.severity, expected.severity) << expected.wal_status;
    EXPECT_EQ(finding.what, expected.what);
    EXPECT_EQ(finding.remedy.empty(), expected.severity == Severity::ok);
  }
}

TEST(CheckSlot, WeighsAMissingOneByTheBookmarksAndTheSettings) {
  const SinkMemory remembers{"files", true,
                             Bookmark{server().identity, {{}, protocol::Lsn{0x100}}}};
  const SinkMemory fresh{"files", true, std::nullopt};
  struct Case {
    bool create_slot;
    SinkMemory memory;
    int exit_code;
  };
  for (const auto& [create_slot, memory, exit_code] :
       {Case{true, fresh, 0}, Case{false, fresh, 78}, Case{true, remembers, 66},
        Case{false, remembers, 66}}) {
    auto settings = shop_settings();
    settings.source.create_slot = create_slot;
    Findings findings;
    check_slot(std::nullopt, {}, settings, server(), std::array{memory}, findings);
    EXPECT_EQ(findings.exit_code(), exit_code);
  }
}

TEST(CheckSlot, CallsAnInvalidatedOneALossWithOrWithoutBookmarks) {
  auto slot = our_slot();
  slot.wal_status = "lost";
  const auto findings = found(slot);
  EXPECT_EQ(findings.exit_code(), 66);
  EXPECT_THAT(findings.first_error()->what, HasSubstr("wal_status lost"));
}

TEST(CheckSlot, TellsTheReasonsOfAnInvalidationApart) {
  struct Case {
    const char* reason;
    const char* remedy;
  };
  for (const auto& [reason, remedy] :
       {Case{"wal_removed", "max_slot_wal_keep_size"}, Case{"rows_removed", "hot_standby_feedback"},
        Case{"wal_level_insufficient", "set it back to logical"},
        Case{"idle_timeout", "idle_replication_slot_timeout"},
        Case{"conflicting", "with recovery on this standby"},
        Case{"a_reason_of_tomorrow", "(a_reason_of_tomorrow)"}}) {
    auto slot = our_slot();
    slot.invalidation_reason = reason;
    const auto findings = found(slot);
    EXPECT_EQ(findings.exit_code(), 66);
    EXPECT_THAT(findings.first_error()->what, AllOf(HasSubstr(reason), HasSubstr(remedy)));
  }
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
