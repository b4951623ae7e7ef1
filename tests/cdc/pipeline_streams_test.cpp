// Transactions that are streamed while they are in progress (delivery.md 3 and 20).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/protocol_error.hpp"
#include "tests/cdc/pgoutput_stream_bytes.hpp"
#include "tests/cdc/pipeline_support.hpp"

namespace pgcourier::cdc {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string row(const std::string& id = "1") { return insert(1, {text(id), null()}); }

struct Streams : PipelineHarness {
  explicit Streams(const Options& options = {}) : PipelineHarness(options) {}

  void piece(std::uint32_t xid, bool is_first, const std::vector<std::string>& messages) {
    take(stream_start(xid, is_first));
    for (const auto& message : messages) take(message);
    take(stream_stop);
  }
  // What a session does.
  Consumed replay_all(const CatalogAnswer& answer = {}) {
    Consumed consumed = Consumed::must_replay;
    while (consumed != Consumed::done) {
      while (pipeline.replay_waits_for_disk()) pipeline.load_replay();
      consumed = pipeline.replay();
      if (consumed == Consumed::needs_catalog) pipeline.describe(answer);
      if (pipeline.saturated()) break;
    }
    return consumed;
  }
  void commit_stream(std::uint32_t xid, Lsn commit_lsn, Lsn end_lsn) {
    EXPECT_EQ(take(stream_commit(xid, commit_lsn, end_lsn)), Consumed::must_replay);
    EXPECT_EQ(replay_all(), Consumed::done);
  }
};

TEST(PipelineStreams, AreDeliveredAtTheirCommitAsIfTheyHadComeThen) {
  Streams h;
  h.describe_tables();
  h.piece(70, true, {origin("elsewhere"), by(70, row()), by(71, row())});
  EXPECT_THAT(h.first.lines, IsEmpty());
  h.transaction({100}, {110}, 1);
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0 end=0/6E"));
  h.piece(70, false, {by(70, update(1, {text("1"), null()}))});
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0 end=0/6E", "insert t#0", "insert t#1",
                                         "update t#2 end=0/D2"));
  EXPECT_EQ(h.second.lines, h.first.lines);
  EXPECT_THAT(h.first.commits, ElementsAre(Lsn{110}, Lsn{210}));
  EXPECT_EQ(h.encoder.headers.back(), "elsewhere");
  EXPECT_EQ(h.pipeline.transactions(), 2U);
  EXPECT_EQ(h.pipeline.streamed().transactions, 0U);
}

TEST(PipelineStreams, AreNotInFlightBeforeTheirCommit) {
  Streams h;
  h.describe_tables();
  h.piece(70, true, {by(70, row())});
  h.hear({150});
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{150});
  EXPECT_TRUE(h.pipeline.settled());
  h.commit_stream(70, {200}, {210});
  h.hear({220});
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{150});
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{220});
}

TEST(PipelineStreams, AreNumberedWithoutWhatWasAborted) {
  Streams h;
  h.describe_tables();
  h.piece(70, true, {by(70, row()), by(71, row()), by(72, row())});
  h.take(stream_abort(70, 72));
  h.take(stream_abort(70, 71));
  h.piece(70, false, {by(73, row())});
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0", "insert t#1 end=0/D2"));
}

TEST(PipelineStreams, AreGoneWhenTheyAbort) {
  Streams h;
  h.describe_tables();
  h.piece(70, true, {by(70, row())});
  EXPECT_EQ(h.pipeline.streamed().transactions, 1U);
  h.take(stream_abort(70, 70));
  EXPECT_EQ(h.pipeline.streamed().transactions, 0U);
  EXPECT_EQ(h.pipeline.streamed().memory_bytes, 0U);
  EXPECT_THROW(h.take(stream_commit(70, {200}, {210})), protocol::ProtocolError);
}

TEST(PipelineStreams, AreSkippedBySinksThatHaveThem) {
  Streams h({.first_at = {210}, .second_at = {200}});
  h.describe_tables();
  h.piece(70, true, {by(70, row())});
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, IsEmpty());
  EXPECT_THAT(h.second.lines, ElementsAre("insert t#0 end=0/D2"));
}

TEST(PipelineStreams, AreNotTakenFromTheEndOn) {
  Streams h({.until = Lsn{200}});
  h.describe_tables();
  h.piece(70, true, {by(70, row())});
  EXPECT_EQ(h.take(stream_commit(70, {200}, {210})), Consumed::past_the_end);
  EXPECT_FALSE(h.pipeline.replays());
}

TEST(PipelineStreams, MayBeEmptyInTheEnd) {
  Streams h;
  h.describe_tables();
  h.piece(70, true, {by(71, row())});
  h.take(stream_abort(70, 71));
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, IsEmpty());
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{210});
}

TEST(PipelineStreams, BringTheirOwnRelations) {
  Streams h;
  const auto named = [](const std::string& table) {
    return relation(1, "public", table, 'd', {{"id", 23, true}, {"note", 25}});
  };
  h.piece(70, true, {by(70, named("before")), by(70, row())});
  h.take(begin({100}));
  EXPECT_THROW(h.take(row()), protocol::ProtocolError) << "the piece described it for itself alone";

  Streams other;
  other.piece(70, true, {by(70, named("mine")), by(70, row())});
  other.commit_stream(70, {200}, {210});
  EXPECT_NO_THROW(other.transaction({300}, {310}, 1)) << "pgoutput does not repeat it";
  EXPECT_THAT(other.first.lines, ElementsAre("insert mine#0 end=0/D2", "insert mine#0 end=0/136"));
}

TEST(PipelineStreams, DropTheRelationsOfWhatWasAborted) {
  Streams h;
  const auto named = [](const std::string& table) {
    return relation(1, "public", table, 'd', {{"id", 23, true}, {"note", 25}});
  };
  h.describe(named("old"));
  h.piece(70, true, {by(71, named("aborted")), by(71, row())});
  h.take(stream_abort(70, 71));
  h.piece(70, false, {by(70, named("new")), by(70, row())});
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, ElementsAre("insert new#0 end=0/D2"));
}

// While it streams, ALTER PUBLICATION changes what is published, and another transaction's Relation
// comes: rows of before are of the old shape, and the new shape stays after the commit.
TEST(PipelineStreams, AreReadAsThingsWereWhenTheyCame) {
  const std::vector<SentColumn> columns = {{"id", 23, true}, {"note", 25}};
  const auto older = relation(1, "public", "older", 'd', columns);
  const auto younger = relation(1, "public", "younger", 'd', columns);
  Streams h;
  h.describe(older);
  h.piece(70, true, {by(70, row())});
  h.piece(80, true, {by(80, older), by(80, row())});
  h.describe(younger);
  h.piece(70, false, {by(70, younger), by(70, row())});
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, ElementsAre("insert older#0", "insert younger#1 end=0/D2"));
  h.commit_stream(80, {300}, {310});
  EXPECT_EQ(h.first.lines.back(), "insert older#0 end=0/136");
  h.transaction({400}, {410}, 1);
  EXPECT_EQ(h.first.lines.back(), "insert younger#0 end=0/19A");
}

// A message comes under the id of the whole transaction, whatever subtransaction it was in.
TEST(PipelineStreams, DoNotGuessWhetherAMessageWasRolledBack) {
  const auto message = by(70, logical_message(Lsn{0x90}, true));
  const auto ambiguous = [](const std::vector<std::string>& messages, std::uint32_t aborted) {
    Streams h;
    h.describe_tables();
    h.piece(70, true, messages);
    try {
      h.take(stream_abort(70, aborted));
      return false;
    } catch (const AmbiguousAbort&) {
      return true;
    }
  };
  EXPECT_TRUE(ambiguous({by(70, row()), message, by(71, row())}, 71));
  EXPECT_TRUE(ambiguous({by(70, row()), message}, 71));
  EXPECT_TRUE(ambiguous({message}, 71));
  EXPECT_FALSE(ambiguous({message, by(70, row()), by(71, row()), message}, 71));
  EXPECT_FALSE(ambiguous({by(70, row()), by(71, row())}, 71));
  EXPECT_FALSE(ambiguous({by(70, row()), message, by(71, row())}, 70));
}

// The row that the catalog is asked about may be the last of what is in memory.
TEST(PipelineStreams, KeepTheRowThatWaitsForTheCatalog) {
  constexpr std::uint32_t composite = 70000;
  Streams h({.transaction_memory = 1});
  CatalogAnswer answer;
  answer.types = {{.oid = composite, .name = "pair", .kind = 'c', .attributes = {{"a", 23}}}};
  answer.composites = {{composite, "a", 0}};
  h.describe(relation(1, "public", "t", 'd', {{"id", 23, true}, {"at", composite}}), answer);
  for (const Lsn at : {Lsn{0x90}, Lsn{0xA0}}) {
    h.take(stream_start(70, at == Lsn{0x90}));
    h.take(by(70, row()), at);
    h.take(stream_stop);
    h.pipeline.spill();
  }
  h.take(stream_commit(70, {200}, {210}));
  for (int rows = 0; rows < 2; ++rows) {
    ASSERT_TRUE(h.pipeline.replay_waits_for_disk());
    h.pipeline.load_replay();
    ASSERT_EQ(h.pipeline.replay(), Consumed::needs_types);
    EXPECT_FALSE(h.pipeline.replay_waits_for_disk());
    h.pipeline.describe({.composites = answer.composites, .wal_position = {}});
    ASSERT_EQ(h.pipeline.replay(), rows == 0 ? Consumed::must_replay : Consumed::done);
  }
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0", "insert t#1 end=0/D2"));
}

TEST(PipelineStreams, WaitForSinksThatAreFull) {
  Streams h({.limit = 3'000});
  h.describe_tables();
  h.piece(70, true, std::vector<std::string>(100, by(70, row())));
  h.take(stream_commit(70, {200}, {210}));
  EXPECT_EQ(h.replay_all(), Consumed::must_replay);
  EXPECT_LT(h.first.lines.size(), 10U);
  while (h.pipeline.replays()) {
    h.first.deliver_all();
    h.second.deliver_all();
    h.pipeline.collect();
    h.replay_all();
  }
  EXPECT_THAT(h.first.lines, SizeIs(100));
  EXPECT_EQ(h.first.lines.back(), "insert t#99 end=0/D2");
}

TEST(PipelineStreams, GoToDiskAboveTheirLimit) {
  Streams h({.limit = 1 << 30, .transaction_memory = 100'000});
  h.describe_tables();
  h.take(stream_start(70, true));
  for (int i = 0; i < 10'000; ++i) {
    h.take(by(70 + (i > 5'000 ? 1 : 0), row(std::string(50, 'x'))));
    if (h.pipeline.must_spill()) h.pipeline.spill();
  }
  h.take(stream_stop);
  EXPECT_GT(h.pipeline.streamed().spilled_bytes, 500'000U);
  EXPECT_LE(h.pipeline.streamed().memory_bytes, 400'000U);
  h.take(stream_abort(70, 71));
  h.commit_stream(70, {200}, {210});
  EXPECT_THAT(h.first.lines, SizeIs(5'001));
  EXPECT_EQ(h.spills.files, 0U);
}

TEST(PipelineStreams, AskTheCatalogWhenTheyAreRead) {
  Streams h;
  h.piece(70, true,
          {by(70, relation(1, "public", "t", 'f', {{"id", 23, true}})),
           by(70, insert(1, {text("1")}))});
  ASSERT_EQ(h.take(stream_commit(70, {200}, {210})), Consumed::must_replay);
  ASSERT_EQ(h.pipeline.replay(), Consumed::needs_catalog);
  EXPECT_TRUE(h.pipeline.question().primary_key);
  h.pipeline.describe({.primary_key = {"id"}, .types = {}});
  EXPECT_EQ(h.replay_all(), Consumed::done);
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0 end=0/D2"));
}

TEST(PipelineStreams, RefuseWhatCantBe) {
  const auto refused = [](const std::vector<std::string>& messages) {
    Streams h;
    h.describe_tables();
    for (std::size_t i = 0; i + 1 < messages.size(); ++i) h.take(messages[i]);
    EXPECT_THROW(h.take(messages.back()), protocol::ProtocolError) << messages.back();
  };
  refused({begin({100}), stream_start(70, true)});
  refused({begin({100}), stream_commit(70, {200}, {210})});
  refused({stream_commit(70, {200}, {210})});
  refused({stream_start(70, false)});
  refused({stream_start(70, true), stream_start(71, true)});
  refused({stream_start(70, true), begin({100})});
  refused({stream_start(70, true), by(0, row())});
  refused({stream_start(70, true), "I"});
  refused({stream_start(70, true), "?"});
  Streams h;
  h.describe_tables();
  h.piece(70, true, {by(70, "Inonsense")});
  h.take(stream_commit(70, {200}, {210}));
  EXPECT_THROW(h.replay_all(), protocol::ProtocolError);
}

}  // namespace
}  // namespace pgcourier::cdc
