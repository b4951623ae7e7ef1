#include "replication/read_policy.hpp"

#include <gtest/gtest.h>

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using Clock = ReadPolicy::Clock;

constexpr std::size_t one_change = 200;
constexpr std::size_t plenty = 512 * 1024;
const Clock::time_point start{1h};

// Eight changes, each of which woke us, within a fraction of a millisecond.
ReadPolicy busy_policy() {
  ReadPolicy policy;
  for (int i = 0; i < 8; ++i) policy.after_read(one_change, start + i * 10us);
  return policy;
}

TEST(ReadPolicy, WaitsOnTheSocketAtFirst) { EXPECT_EQ(ReadPolicy().pause(start), 0us); }

TEST(ReadPolicy, NeverSleepsBetweenSingleSmallTransactions) {
  ReadPolicy policy;
  for (int i = 0; i < 1000; ++i) {
    policy.after_read(3 * one_change, start + i * 1ms);
    policy.after_read(0, start + i * 1ms + 10us);
    EXPECT_EQ(policy.pause(start + i * 1ms + 10us), 0us);
  }
}

TEST(ReadPolicy, SleepsWhenEachChangeWakesIt) {
  const ReadPolicy policy = busy_policy();
  EXPECT_TRUE(policy.coalescing());
  EXPECT_EQ(policy.pause(start + 70us), 1ms);
}

TEST(ReadPolicy, CountsTheTimeSpentOnTheDataAsSleep) {
  const ReadPolicy policy = busy_policy();
  EXPECT_EQ(policy.pause(start + 70us + 400us), 600us);
  EXPECT_EQ(policy.pause(start + 70us + 2ms), 0us);
}

TEST(ReadPolicy, ReadsOnAtOnceWhileMuchIsThere) {
  ReadPolicy policy = busy_policy();
  policy.after_read(plenty, start + 1ms);
  EXPECT_EQ(policy.pause(start + 1ms), 0us);
  policy.after_read(plenty / 4, start + 2ms);
  EXPECT_EQ(policy.pause(start + 2ms), 1ms);
}

TEST(ReadPolicy, WaitsOnTheSocketAgainWhenASleepBroughtLittle) {
  ReadPolicy policy = busy_policy();
  policy.after_read(one_change, start + 1ms);
  EXPECT_FALSE(policy.coalescing());
  EXPECT_EQ(policy.pause(start + 1ms), 0us);
}

TEST(ReadPolicy, WaitsOnTheSocketAgainWhenASleepBroughtNothing) {
  ReadPolicy policy = busy_policy();
  policy.after_read(0, start + 1ms);
  EXPECT_EQ(policy.pause(start + 1ms), 0us);
}

TEST(ReadPolicy, SleepsAgainAtOnceAfterAShortPauseOfABusyStream) {
  ReadPolicy policy = busy_policy();
  policy.after_read(plenty / 8, start + 1ms);
  policy.after_read(0, start + 2ms);
  EXPECT_EQ(policy.pause(start + 2ms), 0us);
  policy.after_read(one_change, start + 10ms);
  EXPECT_EQ(policy.pause(start + 10ms), 1ms);
}

TEST(ReadPolicy, ForgetsABusyStreamAfterALongPause) {
  ReadPolicy policy = busy_policy();
  policy.after_read(plenty / 8, start + 1ms);
  policy.after_read(0, start + 2ms);
  policy.after_read(one_change, start + 30ms);
  EXPECT_EQ(policy.pause(start + 30ms), 0us);
}

TEST(ReadPolicy, SettlesOnTheSocketWhenABusyStreamBecomesATrickle) {
  ReadPolicy policy = busy_policy();
  policy.after_read(plenty / 8, start + 1ms);
  int sleeps = 0;
  for (int i = 2; i < 200; ++i) {
    policy.after_read(one_change, start + i * 1ms);
    if (policy.pause(start + i * 1ms) > 0us) ++sleeps;
  }
  EXPECT_LE(sleeps, 10);
}

TEST(ReadPolicy, NeverSleepsLongerThanItsLimit) {
  ReadPolicy policy({.sleep = 300us});
  for (int i = 0; i < 100; ++i) {
    const auto now = start + i * 5us;
    policy.after_read(plenty / 8, now);
    EXPECT_LE(policy.pause(now), 300us);
  }
}

}  // namespace
}  // namespace pgcourier::replication
