#include "cdc/feedback.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace pgcourier::cdc {
namespace {

using namespace std::chrono_literals;
using protocol::Lsn;

const Feedback::Time start = Feedback::Time{} + 1h;

TEST(Feedback, SaysNothingOfFlushUntilTheSlotsPositionIsReached) {
  Feedback feedback(Lsn{1000}, 10s);
  feedback.durable(Lsn{5000});  // a bookmark of an earlier session
  feedback.received(Lsn{900});
  EXPECT_EQ(feedback.due(start)->flush, Lsn{});  // what this session's server has sent counts too
  feedback.received(Lsn{1200});
  EXPECT_EQ(feedback.due(start + 1s)->flush, Lsn{1200});
}

TEST(Feedback, NeverConfirmsMoreThanIsDurableOrReceived) {
  EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::uint16_t, std::uint16_t>>& steps) {
    Feedback feedback(Lsn{100}, 10s);
    Lsn received, durable, flushed;
    auto now = start;
    for (const auto& [r, d] : steps) {
      received = std::max(received, Lsn{r});
      durable = std::max(durable, Lsn{d});
      feedback.received(Lsn{r});
      feedback.durable(Lsn{d});
      now += 200ms;
      if (const auto status = feedback.due(now)) {
        RC_ASSERT(status->flush <= std::min(received, durable));
        RC_ASSERT(status->flush >= flushed);
        RC_ASSERT(status->flush == Lsn{} || status->flush >= Lsn{100});
        RC_ASSERT(status->write == received);
        flushed = status->flush;
      }
    }
  }));
}

TEST(Feedback, AnswersAtOnceWhenAsked) {
  Feedback feedback(Lsn{}, 10s);
  EXPECT_TRUE(feedback.due(start));
  EXPECT_FALSE(feedback.due(start + 1ms));
  feedback.reply_requested();
  EXPECT_TRUE(feedback.due(start + 2ms));
}

TEST(Feedback, TellsProgressAtMostEvery100Milliseconds) {
  Feedback feedback(Lsn{}, 10s);
  EXPECT_TRUE(feedback.due(start));
  feedback.received(Lsn{10});
  EXPECT_FALSE(feedback.due(start + 99ms));
  EXPECT_TRUE(feedback.due(start + 100ms));
}

TEST(Feedback, SpeaksAtLeastOnceAnInterval) {
  Feedback feedback(Lsn{}, 2s);
  EXPECT_TRUE(feedback.due(start));
  EXPECT_FALSE(feedback.due(start + 1999ms));
  EXPECT_TRUE(feedback.due(start + 2s));
}

TEST(Feedback, TheIntervalIsAThirdOfTheServersTimeout) {
  EXPECT_EQ(status_interval(60s), Feedback::Duration(10s));
  EXPECT_EQ(status_interval(6s), Feedback::Duration(2s));
  EXPECT_EQ(status_interval(0s), Feedback::Duration(10s));
}

}  // namespace
}  // namespace pgcourier::cdc
