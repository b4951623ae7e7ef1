// The promise of the pipeline: whatever the interleaving, a new session that starts where this one
// confirmed is given all that was not delivered (delivery.md 2 and 5).
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "tests/cdc/pipeline_support.hpp"

namespace pgcourier::cdc {
namespace {

using namespace test;

// What was sent, by the pipeline's own numbers.
struct SentUnit {
  Lsn lsn;  // a transaction's commit LSN, a message's end
  bool is_transaction = true;
};

// A unit counts as done for a session that starts at `position`.
bool is_done(const SentUnit& unit, Lsn position) {
  return unit.is_transaction ? unit.lsn < position : unit.lsn <= position;
}

class RandomRun {
 public:
  RandomRun() {
    h_.describe_tables();
    h_.hear(at_);
  }

  void step(std::uint8_t choice) {
    switch (choice % 6) {
      case 0:
      case 1:
        return send_transaction(choice / 6 % 4, choice / 24 % 2 == 0);
      case 2:
        return send_message();
      case 3:
        return hear();
      case 4:
        deliver(h_.first);
        return;
      default:
        deliver(h_.second);
    }
  }

  void confirm(bool force) {
    h_.settle({}, force);
    const Lsn confirmed = h_.pipeline.confirmable();
    RC_ASSERT(confirmed >= before_);
    before_ = confirmed;
    if (open_) RC_ASSERT(!is_done(sent_.back(), confirmed));
    for (const auto* sink : {&h_.first, &h_.second}) {
      for (const auto& [unit, bytes] : sink->outstanding) {
        RC_ASSERT(!is_done(sent_.at(unit), confirmed));
      }
    }
  }

  void finish() {
    h_.first.deliver_all();
    h_.second.deliver_all();
    confirm(true);
    RC_ASSERT(h_.pipeline.settled());
    RC_ASSERT(h_.pipeline.confirmable() == at_);
    RC_ASSERT(h_.pipeline.in_flight_bytes() == 0U);
  }

 private:
  // Its commit record may start where the unit before ended.
  void send_transaction(int events, bool adjacent) {
    const Lsn commit_lsn = adjacent ? at_ : forward();
    sent_.push_back({commit_lsn, true});
    open_ = true;
    h_.take(begin(commit_lsn));
    for (int i = 0; i < events; ++i) h_.take(insert(1, {text("1"), null()}));
    confirm(false);  // in the middle of it
    h_.take(commit(commit_lsn, forward()));
    open_ = false;
  }
  void send_message() {
    sent_.push_back({forward(), false});
    h_.take(logical_message(at_, false));
  }
  void hear() { h_.hear(forward()); }

  static void deliver(FakeSink& sink) {
    if (sink.outstanding.empty()) return;
    sink.deliver(*rc::gen::inRange<std::size_t>(0, sink.outstanding.size()));
  }

  Lsn forward() { return at_ = Lsn{at_.value + 8}; }

  PipelineHarness h_;
  std::vector<SentUnit> sent_;
  Lsn at_{0x100};
  Lsn before_;
  bool open_ = false;
};

TEST(Pipeline, NeverConfirmsPastAnUndeliveredUnitWhateverTheInterleaving) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& choices) {
    RandomRun run;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      run.step(choices[i]);
      run.confirm(i % 3 == 0);
    }
    run.finish();
  }));
}

}  // namespace
}  // namespace pgcourier::cdc
