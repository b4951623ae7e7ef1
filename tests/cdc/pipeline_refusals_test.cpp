// What a server that breaks the order of messages meets.
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

}  // namespace
}  // namespace pgcourier::cdc
