#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cdc/pipeline_support.hpp"

namespace pgcourier::cdc {
namespace {

using namespace std::chrono_literals;
using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Tuple row{text("1"), text("a")};

TEST(Pipeline, NumbersEventsAndHoldsOneBackUntilItIsKnownToBeTheLast) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.take(insert(1, row));
  EXPECT_THAT(h.first.lines, IsEmpty());
  h.take(removal(2, row));
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0"));
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0", "delete u#1 end=0/110"));
  EXPECT_EQ(h.second.lines, h.first.lines);
  EXPECT_THAT(h.first.commits, ElementsAre(Lsn{0x110}));
  EXPECT_EQ(h.pipeline.received(), Lsn{0x110});
}

TEST(Pipeline, GivesTheOriginWithTheTransaction) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.take(origin("north"));
  h.take(insert(1, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  h.transaction(Lsn{0x110}, Lsn{0x120}, 1);
  EXPECT_THAT(h.encoder.headers, ElementsAre("north", ""));
}

// A transaction's end is often the commit LSN of the next: that one is not done.
TEST(Pipeline, SkipsATransactionOnlyIfItsCommitIsBeforeThePositionOfTheSink) {
  PipelineHarness h({.first_at = Lsn{0x100}, .second_at = Lsn{0x110}});
  h.describe_tables();
  h.transaction(Lsn{0xF0}, Lsn{0x100}, 1);
  EXPECT_THAT(h.first.lines, IsEmpty());
  h.transaction(Lsn{0x100}, Lsn{0x110}, 1);
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0 end=0/110"));
  EXPECT_THAT(h.second.lines, IsEmpty());
  h.transaction(Lsn{0x110}, Lsn{0x120}, 1);
  EXPECT_THAT(h.second.lines, ElementsAre("insert t#0 end=0/120"));
  EXPECT_THAT(h.second.commits, ElementsAre(Lsn{0x120}));
}

// A message's LSN is where it ends: at the position it is done.
TEST(Pipeline, SkipsAMessageUpToThePositionItself) {
  PipelineHarness h({.first_at = Lsn{0x100}, .second_at = Lsn{0x108}});
  h.take(logical_message(Lsn{0xF8}, false));
  h.take(logical_message(Lsn{0x100}, false));
  EXPECT_THAT(h.first.lines, IsEmpty());
  h.take(logical_message(Lsn{0x108}, false));
  EXPECT_THAT(h.first.lines, ElementsAre("message "));
  EXPECT_THAT(h.second.lines, IsEmpty());
}

TEST(Pipeline, SkippedUnitsAreNotEncodedAndCountAsDurable) {
  PipelineHarness h({.first_at = Lsn{0x200}, .second_at = Lsn{0x200}});
  h.describe_tables();
  h.transaction(Lsn{0x100}, Lsn{0x110}, 3);
  EXPECT_THAT(h.encoder.headers, IsEmpty());
  EXPECT_TRUE(h.pipeline.settled());
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x200});
}

TEST(Pipeline, FilteredChangesAreCountedButNotGiven) {
  PipelineHarness h({.tables = {"public.t"}});
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.take(insert(2, row));
  h.take(insert(1, row));
  h.take(insert(2, row));
  h.take(insert(1, row));
  h.take(insert(2, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#1", "insert t#3 end=0/110"));
}

TEST(Pipeline, ATransactionOfFilteredChangesAloneIsEmptyAndConfirmed) {
  PipelineHarness h({.tables = {"public.t"}});
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.take(insert(2, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  EXPECT_THAT(h.first.lines, IsEmpty());
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
  EXPECT_EQ(h.pipeline.sinks().front().durable.delivered, Lsn{});
}

TEST(Pipeline, EachTableOfATruncateIsAnEvent) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.take(truncation({1, 2}));
  h.take(insert(1, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  EXPECT_THAT(h.first.lines, ElementsAre("truncate t#0", "truncate u#1", "insert t#2 end=0/110"));
}

TEST(Pipeline, ATransactionalMessageIsNumberedAmongTheChanges) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.take(insert(1, row));
  h.take(logical_message(Lsn{0xF0}, true));
  h.take(insert(1, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0", "message #1", "insert t#2 end=0/110"));
}

TEST(Pipeline, AMessageOutsideTransactionsIsAUnitOfItsOwn) {
  PipelineHarness h;
  h.take(logical_message(Lsn{0x108}, false));
  EXPECT_THAT(h.first.lines, ElementsAre("message "));
  EXPECT_THAT(h.first.commits, ElementsAre(Lsn{0x108}));
  EXPECT_THAT(h.encoder.headers, IsEmpty());
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x108});
}

// --- Changes of key ------------------------------------------------------------------------------

// The line of one update of table 1 within a transaction.
std::string line_of(PipelineHarness& h, const std::string& update) {
  h.take(begin(Lsn{0x100}));
  h.take(update);
  h.take(insert(1, row));
  return h.first.lines.at(0);
}

TEST(Pipeline, AnUpdateWithAnotherKeyIsMarked) {
  PipelineHarness h;
  h.describe_tables();
  EXPECT_EQ(line_of(h, update(1, row, 'K', {text("2"), null()})), "update t#0 moved");
}

TEST(Pipeline, AnUpdateWithoutAnOldRowKeepsItsKey) {
  PipelineHarness h;
  h.describe_tables();
  EXPECT_EQ(line_of(h, update(1, row)), "update t#0");
}

// The server sends the old key, detoasted, also when it is long and did not change.
TEST(Pipeline, AnUnchangedToastValueInTheKeyIsNoChange) {
  PipelineHarness h;
  h.describe_tables();
  EXPECT_EQ(line_of(h, update(1, {unchanged(), text("b")}, 'K', {text("long"), null()})),
            "update t#0");
}

TEST(Pipeline, UnderFullOnlyTheColumnsOfThePrimaryKeyMakeAChangeOfKey) {
  const auto full = relation(1, "public", "t", 'f', {{"id", 23, true}, {"note", 25, true}});
  {
    PipelineHarness h;
    h.describe(full, {.primary_key = {"id"}, .types = {}});
    EXPECT_EQ(line_of(h, update(1, row, 'O', {text("1"), text("before")})), "update t#0");
  }
  PipelineHarness h;
  h.describe(full, {.primary_key = {"id"}, .types = {}});
  EXPECT_EQ(line_of(h, update(1, row, 'O', {text("2"), text("a")})), "update t#0 moved");
}

TEST(Pipeline, UnderFullWithoutAPrimaryKeyNoUpdateChangesAKey) {
  PipelineHarness h;
  h.describe(relation(1, "public", "t", 'f', {{"id", 23, true}, {"note", 25, true}}));
  EXPECT_EQ(line_of(h, update(1, row, 'O', {text("2"), text("b")})), "update t#0");
}

// --- What is in flight ---------------------------------------------------------------------------

TEST(Pipeline, IsSaturatedFromTheLimitOnUntilHalfOfItIsFree) {
  // One event in both sinks weighs 2 × (244 + 256 of overhead).
  PipelineHarness h({.limit = 4000});
  h.first.event_bytes = h.second.event_bytes = 244;
  h.describe_tables();
  h.transaction(Lsn{0x100}, Lsn{0x110}, 3);
  EXPECT_FALSE(h.pipeline.saturated());
  h.transaction(Lsn{0x110}, Lsn{0x120}, 1);
  EXPECT_EQ(h.pipeline.in_flight_bytes(), 4000U);
  EXPECT_TRUE(h.pipeline.saturated());
  h.first.deliver_all();
  h.pipeline.collect();
  EXPECT_EQ(h.pipeline.in_flight_bytes(), 2000U);
  EXPECT_TRUE(h.pipeline.saturated());
  h.second.deliver();
  h.pipeline.collect();
  EXPECT_FALSE(h.pipeline.saturated());
}

// However often it is asked: a keepalive must not find it idle.
TEST(Pipeline, ASinkThatFailsEndsTheSession) {
  PipelineHarness h;
  h.describe_tables();
  h.transaction(Lsn{0x100}, Lsn{0x110}, 1);
  h.second.deliver_all();
  h.first.fails = true;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THROW(h.settle(), SinkError);
    h.hear(Lsn{0x200});
  }
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});
  EXPECT_FALSE(h.pipeline.settled());
}

TEST(Pipeline, ConfirmsWhatTheLowestBookmarkCovers) {
  PipelineHarness h;
  h.describe_tables();
  h.transaction(Lsn{0x100}, Lsn{0x110}, 1);
  h.first.deliver_all();
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});
  h.second.saves_bookmarks = false;
  h.second.deliver_all();
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});  // durable, but no bookmark covers it
  EXPECT_FALSE(h.pipeline.settled());
  h.second.saves_bookmarks = true;
  h.transaction(Lsn{0x110}, Lsn{0x120}, 0);
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x120});
  EXPECT_TRUE(h.pipeline.settled());
}

TEST(Pipeline, AKeepaliveCountsOnceAllBeforeItIsDelivered) {
  PipelineHarness h;
  h.describe_tables();
  h.transaction(Lsn{0x100}, Lsn{0x110}, 1);
  h.hear(Lsn{0x200});
  EXPECT_EQ(h.pipeline.received(), Lsn{0x200});
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x200});
}

TEST(Pipeline, AKeepaliveInsideATransactionConfirmsNothingOfIt) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}));
  h.hear(Lsn{0x200});
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
}

TEST(Pipeline, TellsOnceThatTheServerAskedForAnAnswer) {
  PipelineHarness h;
  h.hear(Lsn{0x10}, true);
  h.hear(Lsn{0x18}, false);
  EXPECT_TRUE(h.pipeline.take_reply_requested());
  EXPECT_FALSE(h.pipeline.take_reply_requested());
}

TEST(Pipeline, BookmarksMoveAtOnceForEventsAndSeldomForSilence) {
  PipelineHarness h;
  h.describe_tables();
  const Pipeline::Time start{1h};
  h.settle(start, false);
  h.hear(Lsn{0x50});
  h.settle(start + 1s, false);
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});
  h.transaction(Lsn{0x100}, Lsn{0x110}, 1);
  h.first.deliver_all();
  h.second.deliver_all();
  h.settle(start + 2s, false);
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
  h.hear(Lsn{0x200});
  h.settle(start + 9s, false);
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
  h.settle(start + 11s, false);
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x200});
}

TEST(Pipeline, NothingFromTheEndOnIsTaken) {
  PipelineHarness h({.until = Lsn{0x110}});
  h.describe_tables();
  EXPECT_EQ(h.take(begin(Lsn{0x100})), Consumed::done);
  h.take(insert(1, row));
  h.take(commit(Lsn{0x100}, Lsn{0x108}));
  EXPECT_EQ(h.take(begin(Lsn{0x110})), Consumed::past_the_end);
  EXPECT_EQ(h.take(logical_message(Lsn{0x118}, false)), Consumed::past_the_end);
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0 end=0/108"));
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
  EXPECT_TRUE(h.pipeline.settled());
}

TEST(Pipeline, RemembersTheOldestCommitThatIsNotConfirmed) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}, 5'000'000));
  h.take(insert(1, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}, 5'000'000));
  h.take(begin(Lsn{0x110}, 9'000'000));
  h.take(commit(Lsn{0x110}, Lsn{0x120}, 9'000'000));
  EXPECT_EQ(h.pipeline.oldest_unconfirmed_commit(), protocol::PgTime{5'000'000});
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.oldest_unconfirmed_commit(), std::nullopt);
}

TEST(Pipeline, RemembersABoundedNumberOfCommitsBehindASinkThatStandsStill) {
  PipelineHarness h;
  h.describe_tables();
  h.take(begin(Lsn{0x100}, 5'000'000));
  h.take(insert(1, row));
  h.take(commit(Lsn{0x100}, Lsn{0x110}, 5'000'000));
  std::uint64_t lsn = 0x110;
  std::int64_t time = 5'000'000;
  for (int i = 0; i < 20'000; ++i, lsn += 0x10) {
    time += 200'000;
    h.take(begin(Lsn{lsn}, time));
    h.take(commit(Lsn{lsn}, Lsn{lsn + 0x10}, time));
  }
  EXPECT_LT(h.pipeline.remembered_commits(), 4096U);
  EXPECT_EQ(h.pipeline.oldest_unconfirmed_commit(), protocol::PgTime{5'000'000});
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.oldest_unconfirmed_commit(), std::nullopt);
}

TEST(Pipeline, CountsWhatTheTablesHadByOperation) {
  PipelineHarness h({.tables = {"public.t"}});
  h.describe_tables();
  h.transaction(Lsn{0x100}, Lsn{0x110}, 2);
  h.take(logical_message(Lsn{0x118}, false));
  ASSERT_EQ(h.pipeline.counts().size(), 1U);
  EXPECT_THAT(h.pipeline.counts()[0], ElementsAre(2, 0, 0, 0, 0));
  EXPECT_EQ(h.pipeline.logical_messages(), 1U);
  EXPECT_EQ(h.pipeline.transactions(), 1U);
}

// --- Composite types -----------------------------------------------------------------------------

// A table 1 `t` (id, at) whose composite `transaction` altered last.
cdc::CatalogAnswer altered_by(std::uint32_t transaction, Lsn wal_position = {}) {
  TypeDescription type;
  type.oid = 70000;
  type.kind = 'c';
  type.attributes = {{"a", 25}};
  return {.primary_key = {},
          .types = {type},
          .composites = {{70000, std::to_string(transaction), transaction}},
          .wal_position = wal_position};
}
const auto with_composite = relation(1, "public", "t", 'd', {{"id", 23, true}, {"at", 70000}});

TEST(Pipeline, ARowWithCompositesWaitsForALookAtTheirTypes) {
  PipelineHarness h;
  h.take(begin(Lsn{0x100}));
  ASSERT_EQ(h.take(with_composite, Lsn{0x80}), Consumed::needs_catalog);
  ASSERT_NE(h.pipeline.describe(altered_by(0)), nullptr);
  EXPECT_EQ(h.take(insert(1, row), Lsn{0x80}), Consumed::done);
  ASSERT_EQ(h.take(insert(1, row), Lsn{0x90}), Consumed::needs_types);
  EXPECT_THAT(h.pipeline.question().composites, ElementsAre(70000));
  EXPECT_EQ(h.pipeline.describe(altered_by(0)), nullptr);
  EXPECT_EQ(h.take(insert(1, row), Lsn{0x90}), Consumed::done);
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0", "insert t#1 end=0/110"));
}

TEST(Pipeline, CompositesOfTransactionsNotYoungerThanTheAlterationAreText) {
  PipelineHarness h;
  h.describe(with_composite, altered_by(0));
  Lsn at{0x100};
  for (const std::uint32_t xid : {6U, 7U, 8U}) {
    const Lsn end{at.value + 0x10};
    h.take(begin(at, 0, xid));
    while (h.take(insert(1, row), at) == Consumed::needs_types) h.pipeline.describe(altered_by(7));
    h.take(commit(at, end));
    at = end;
  }
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0 text end=0/110", "insert t#0 text end=0/120",
                                         "insert t#0 end=0/130"));
}

TEST(Pipeline, RowsThatNobodyWantsNeedNoLook) {
  PipelineHarness h({.first_at = Lsn{0x110}, .second_at = Lsn{0x110}});
  h.describe(with_composite, altered_by(0));
  h.take(begin(Lsn{0x100}));
  EXPECT_EQ(h.take(insert(1, row), Lsn{0x90}), Consumed::done);
}

}  // namespace
}  // namespace pgcourier::cdc
