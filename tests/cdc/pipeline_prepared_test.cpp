// Two-phase commit (delivery.md 21).
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

struct Prepared : PipelineHarness {
  explicit Prepared(const Options& options = {}) : PipelineHarness(options) { describe_tables(); }

  void prepare(Lsn lsn, Lsn end_lsn, const std::string& gid) {
    take(begin_prepare(lsn, end_lsn, gid));
    take(insert(1, {text("1"), null()}));
    take(prepared('P', lsn, end_lsn, gid));
  }
};

TEST(PipelinePrepared, IsDeliveredBeforeItIsDecidedAndThenWhatBecameOfIt) {
  Prepared h;
  h.prepare({100}, {110}, "kept");
  h.prepare({110}, {120}, "lost");
  h.transaction({120}, {130}, 1);
  h.take(prepared('K', {130}, {140}, "kept"));
  h.take(rollback_prepared({120}, {150}, "lost"));
  EXPECT_THAT(h.first.lines,
              ElementsAre("insert t#0", "prepare #1 end=0/6E", "insert t#0", "prepare #1 end=0/78",
                          "insert t#0 end=0/82", "commit_prepared #0 end=0/8C",
                          "rollback_prepared #0 end=0/96"));
  EXPECT_THAT(h.encoder.gids, ElementsAre("kept", "lost", "", "kept", "lost"));
  EXPECT_THAT(h.first.commits, ElementsAre(Lsn{110}, Lsn{120}, Lsn{130}, Lsn{140}, Lsn{150}));
}

TEST(PipelinePrepared, IsAUnitOfItsOwn) {
  Prepared h;
  h.prepare({100}, {110}, "gid");
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{110});
  h.take(prepared('K', {130}, {140}, "gid"));
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{110});
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{140});
}

TEST(PipelinePrepared, IsSkippedWhereItIsDone) {
  Prepared h({.first_at = {150}, .second_at = {120}});
  h.prepare({100}, {110}, "a");
  h.prepare({110}, {120}, "b");
  h.take(prepared('K', {120}, {130}, "a"));
  h.take(rollback_prepared({120}, {150}, "b"));
  h.take(prepared('K', {150}, {160}, "c"));
  EXPECT_THAT(h.first.lines, ElementsAre("commit_prepared #0 end=0/A0"));
  EXPECT_THAT(h.second.lines,
              ElementsAre("commit_prepared #0 end=0/82", "rollback_prepared #0 end=0/96",
                          "commit_prepared #0 end=0/A0"));
}

TEST(PipelinePrepared, MayBeStreamed) {
  Prepared h;
  h.take(stream_start(70, true));
  h.take(by(70, insert(1, {text("1"), null()})));
  h.take(by(71, insert(1, {text("2"), null()})));
  h.take(stream_stop);
  h.take(stream_abort(70, 71));
  ASSERT_EQ(h.take(prepared('p', {100}, {110}, "gid", 70)), Consumed::must_replay);
  ASSERT_EQ(h.pipeline.replay(), Consumed::done);
  EXPECT_THAT(h.first.lines, ElementsAre("insert t#0", "prepare #1 end=0/6E"));
  EXPECT_EQ(h.encoder.gids.back(), "gid");
}

// 50 lies before the slot's start: PREPARE was never decoded, so all of it comes at COMMIT
// PREPARED.
TEST(PipelinePrepared, ComesWholeAtItsCommitIfPreparedBeforeTheSlotWasReady) {
  Prepared h({.first_at = {100}, .second_at = {100}, .slot_at = {100}});
  h.transaction({100}, {110}, 1);
  h.prepare({50}, {60}, "late");
  h.take(prepared('K', {110}, {120}, "late"));
  ASSERT_EQ(h.pipeline.replay(), Consumed::done);
  h.prepare({120}, {130}, "regular");
  EXPECT_THAT(h.first.lines,
              ElementsAre("insert t#0 end=0/6E", "insert t#0", "prepare #1",
                          "commit_prepared #2 end=0/78", "insert t#0", "prepare #1 end=0/82"));
  EXPECT_THAT(h.encoder.gids, ElementsAre("", "late", "regular"));
  h.deliver_and_settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{130});
}

TEST(PipelinePrepared, IsDoneByItsCommitIfItComesThen) {
  Prepared h({.first_at = {120}, .second_at = {110}, .slot_at = {100}});
  h.prepare({50}, {60}, "late");
  h.take(prepared('K', {110}, {120}, "late"));
  ASSERT_EQ(h.pipeline.replay(), Consumed::done);
  EXPECT_THAT(h.first.lines, IsEmpty());
  EXPECT_THAT(h.second.lines,
              ElementsAre("insert t#0", "prepare #1", "commit_prepared #2 end=0/78"));
}

TEST(PipelinePrepared, LateOnesBringRelationsAndOrigin) {
  Prepared h({.first_at = {100}, .second_at = {100}, .slot_at = {100}});
  h.take(begin_prepare({50}, {60}, "late"));
  h.take(origin("up"));
  h.take(relation(3, "public", "v", 'd', {{"id", 23, true}}));
  h.take(insert(3, {text("1")}));
  h.take(prepared('P', {50}, {60}, "late"));
  h.hear({105});
  h.settle();
  EXPECT_EQ(h.pipeline.confirmable(), Lsn{105});  // nothing is in flight until it has committed
  ASSERT_EQ(h.take(prepared('K', {110}, {120}, "late")), Consumed::must_replay);
  ASSERT_EQ(h.pipeline.replay(), Consumed::needs_catalog);
  h.pipeline.describe({});
  ASSERT_EQ(h.pipeline.replay(), Consumed::done);
  h.take(begin({130}));
  h.take(insert(3, {text("2")}));
  h.take(commit({130}, {140}));
  EXPECT_THAT(h.first.lines, ElementsAre("insert v#0", "prepare #1", "commit_prepared #2 end=0/78",
                                         "insert v#0 end=0/8C"));
  EXPECT_THAT(h.encoder.headers, ElementsAre("up", ""));
}

TEST(PipelinePrepared, IsNotTakenFromTheEndOn) {
  Prepared h({.until = Lsn{100}});
  EXPECT_EQ(h.take(begin_prepare({100}, {110}, "gid")), Consumed::past_the_end);
  EXPECT_EQ(h.take(prepared('K', {100}, {110}, "gid")), Consumed::past_the_end);
  EXPECT_EQ(h.take(rollback_prepared({90}, {101}, "gid")), Consumed::past_the_end);
  EXPECT_THAT(h.first.lines, IsEmpty());
  EXPECT_EQ(h.take(rollback_prepared({90}, {100}, "gid")), Consumed::done);
}

TEST(PipelinePrepared, RefusesWhatCantBe) {
  const auto refused = [](const std::vector<std::string>& messages) {
    Prepared h({.slot_at = {10}});
    for (std::size_t i = 0; i + 1 < messages.size(); ++i) h.take(messages[i]);
    EXPECT_THROW(h.take(messages.back()), protocol::ProtocolError) << messages.back();
  };
  const auto begun = begin_prepare({100}, {110}, "gid");
  refused({prepared('P', {100}, {110}, "gid")});
  refused({begun, prepared('P', {100}, {110}, "another")});
  refused({begun, prepared('P', {101}, {110}, "gid")});
  refused({begun, commit({100}, {110})});
  refused({begin({100}), prepared('P', {100}, {110}, "")});
  refused({begun, begun});
  refused({begun, prepared('K', {100}, {110}, "gid")});
  refused({begun, rollback_prepared({100}, {110}, "gid")});
  refused({prepared('p', {100}, {110}, "gid", 70)});
  const auto late = begin_prepare({5}, {8}, "gid");  // the slot was at 10
  const auto end_of_late = prepared('P', {5}, {8}, "gid");
  refused({late, late});
  refused({late, prepared('P', {5}, {8}, "another")});
  refused({late, prepared('P', {6}, {8}, "gid")});
  refused({late, prepared('K', {100}, {110}, "gid")});
  refused({late, end_of_late, end_of_late});
  refused({late, end_of_late, begin({100})});
  refused({late, stream_abort(7, 7)});
  refused({late, end_of_late, stream_abort(7, 7)});
  refused({late, end_of_late, prepared('K', {100}, {110}, "gid", 8)});
  refused({late, end_of_late, rollback_prepared({8}, {110}, "gid")});
}

}  // namespace
}  // namespace pgcourier::cdc
