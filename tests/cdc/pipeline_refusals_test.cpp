// What a server that breaks the order of messages meets, a sink that breaks its contract, and
// values that have no encoding.
#include <gtest/gtest.h>

#include "protocol/protocol_error.hpp"
#include "tests/cdc/pgoutput_stream_bytes.hpp"
#include "tests/cdc/pipeline_support.hpp"

namespace pgcourier::cdc {
namespace {

using namespace test;
using protocol::ProtocolError;

const Tuple row{text("1"), text("a")};

TEST(Pipeline, RefusesChangesOutsideATransaction) {
  const auto messages = {insert(1, row),         update(1, row),  removal(1, row),
                         truncation({1}),        origin("north"), logical_message(Lsn{8}, true),
                         commit(Lsn{8}, Lsn{16})};
  for (const auto& message : messages) {
    PipelineHarness h;
    h.describe_tables();
    EXPECT_THROW(h.take(message), ProtocolError) << message.front();
  }
}

TEST(Pipeline, RefusesATransactionInsideATransaction) {
  PipelineHarness h;
  h.take(begin(Lsn{0x100}));
  EXPECT_THROW(h.take(begin(Lsn{0x110})), ProtocolError);
}

TEST(Pipeline, RefusesATransactionThatComesAgain) {
  PipelineHarness h;
  h.describe_tables();
  h.transaction({0x100}, {0x110}, 1);
  EXPECT_THROW(h.take(begin(Lsn{0x100})), ProtocolError);
  EXPECT_THROW(h.take(begin(Lsn{0xF0})), ProtocolError);
  h.transaction({0x110}, {0x120}, 1);
}

TEST(Pipeline, RefusesANonTransactionalMessageInsideATransaction) {
  PipelineHarness h;
  h.take(begin(Lsn{0x100}));
  EXPECT_THROW(h.take(logical_message(Lsn{0xF8}, false)), ProtocolError);
}

TEST(Pipeline, RefusesACommitThatIsNotTheOneAnnounced) {
  PipelineHarness h;
  h.take(begin(Lsn{0x100}));
  EXPECT_THROW(h.take(commit(Lsn{0x108}, Lsn{0x110})), ProtocolError);
}

TEST(Pipeline, RefusesARowOfAnotherWidthThanItsRelation) {
  const Tuple narrow{text("1")};
  for (const auto& message :
       {insert(1, narrow), update(1, narrow), update(1, row, 'K', narrow), removal(1, narrow)}) {
    PipelineHarness h;
    h.describe_tables();
    h.take(begin(Lsn{0x100}));
    EXPECT_THROW(h.take(message), ProtocolError) << message.front();
  }
}

TEST(Pipeline, RefusesAChangeOfATableThatWasNotDescribed) {
  PipelineHarness h;
  h.take(begin(Lsn{0x100}));
  EXPECT_THROW(h.take(insert(9, row)), ProtocolError);
}

TEST(Pipeline, GivesWhatHasNoEncodingToTheSinksAsItCame) {
  PipelineHarness h;
  h.describe_tables();
  h.encoder.has_no_encoding = "u";
  h.first.takes_unencodable = h.second.takes_unencodable = true;
  const std::string bad = insert(2, row);
  h.take(begin(Lsn{0x100}));
  h.take(insert(1, row), Lsn{0xA0});
  h.take(bad, Lsn{0xB0});
  h.take(insert(1, row), Lsn{0xC0});
  h.take(commit(Lsn{0x100}, Lsn{0x110}));
  const std::vector<std::string> lines{
      "insert t#0", "public.u: no encoding #1 of 0/100 at 0/B0: " + bad, "insert t#2 end=0/110"};
  EXPECT_EQ(h.first.lines, lines);
  EXPECT_EQ(h.second.lines, lines);
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{});
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
  EXPECT_EQ(h.pipeline.in_flight_bytes(), 0U);
}

TEST(Pipeline, AWholeTransactionWithoutEncodingIsConfirmedWhenTheSinksHaveIt) {
  PipelineHarness h({.first_at = {}, .second_at = Lsn{0x110}});
  h.describe_tables();
  h.encoder.has_no_encoding = "t";
  h.first.takes_unencodable = true;
  h.transaction({0x100}, {0x110}, 2);  // the second sink has it already
  EXPECT_EQ(h.first.lines.size(), 2U);
  EXPECT_TRUE(h.second.lines.empty());
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{0x110});
}

TEST(Pipeline, ASinkWithNowhereToPutItStops) {
  PipelineHarness h;
  h.describe_tables();
  h.encoder.has_no_encoding = "t";
  h.first.takes_unencodable = true;
  h.take(begin(Lsn{0x100}));
  try {
    h.take(insert(1, row));
    FAIL() << "the second sink took it";
  } catch (const SinkError& error) {
    EXPECT_EQ(error.failure(), SinkFailure::undeliverable);
    EXPECT_EQ(std::string(error.what()),
              "sink second: commit 0/100, seq 0 has no encoding: public.t: no encoding");
  }
}

TEST(Pipeline, KeepsNoMoreTablesThanItMay) {
  PipelineHarness h({.kept_bytes = 100'000});
  std::uint32_t tables = 0;
  const auto describe_more = [&] {
    for (; tables < 100'000; ++tables) {
      h.describe(relation(tables, "public", "t" + std::to_string(tables), 'd', {{"id", 23, true}}));
    }
  };
  EXPECT_THROW(describe_more(), TooManyTables);
  EXPECT_GT(tables, 100U);
  EXPECT_LT(h.pipeline.relations().memory_bytes(), 101'000U);
}

TEST(Pipeline, KeepsNoMoreOpenTransactionsThanItMay) {
  PipelineHarness h({.kept_bytes = 100'000});
  std::uint32_t xid = 1;
  const auto open_more = [&] {
    for (; xid < 100'000; ++xid) {
      h.take(stream_start(xid, true));
      h.take(stream_stop);
    }
  };
  EXPECT_THROW(open_more(), TooManyOpenTransactions);
  EXPECT_GT(xid, 100U);
}

// Hundreds of pieces that are spilled at once: little is kept, but of many extents.
TEST(Pipeline, KeepsNoMoreExtentsThanItMay) {
  PipelineHarness h({.transaction_memory = 1, .kept_bytes = 20'000});
  const auto stream = [&] {
    for (int piece = 0; piece < 100'000; ++piece) {
      h.take(stream_start(7, piece == 0));
      h.take(by(7, insert(1, row)));
      h.take(stream_stop);
      if (h.pipeline.must_spill()) h.pipeline.spill();
    }
  };
  EXPECT_THROW(stream(), TooManyOpenTransactions);
}

TEST(Pipeline, ASinkThatGivesBackMoreThanItHeldIsBroken) {
  PipelineHarness h;
  h.first.free_bytes(1);
  EXPECT_THROW(h.pipeline.collect(), SinkError);
}

}  // namespace
}  // namespace pgcourier::cdc
