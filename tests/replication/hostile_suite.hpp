// Plays a dialogue against a server that goes wrong, and says what came of it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/replication/hostile_dialogue.hpp"

namespace pgcourier::replication::test {

constexpr std::chrono::milliseconds patience{100};

struct Outcome {
  bool good = false;  // it came to its good end
  std::string error;  // or to this one
  Said said;
  std::chrono::steady_clock::duration took{};
  std::size_t largest_allocation = 0;  // of ours; with AddressSanitizer only
};

// What is not an error of ours goes through.
Outcome play(const Dialogue& dialogue, const Sabotage& sabotage,
             std::chrono::milliseconds limit = patience);

// All that an honest server sends.
std::vector<std::string> honest_units(const Dialogue& dialogue, Sabotage::Of of);

class HostileSuite : public testing::TestWithParam<Dialogue> {
 protected:
  // Ends with an error in words, in time and with little memory; or well, if what the server said
  // may end well. Played after the test's body, many at once, for most of them only wait.
  void expect_clear_end(Sabotage sabotage) { sabotages_.push_back(std::move(sabotage)); }
  void TearDown() override;

  // Sends something else instead of one unit.
  using Change = std::function<std::string(const std::string& unit)>;
  void spoil(Sabotage::Of of, std::size_t number, const std::string& how, const Change& change);
  // Of two units, the second one first.
  void swap(Sabotage::Of of, std::size_t number);
  // After so many bytes of a unit nothing more comes.
  void cut(Sabotage::Of of, std::size_t number, std::size_t after, End end);

 private:
  void check(const Sabotage& sabotage) const;

  std::vector<Sabotage> sabotages_;
};

std::string name_of(const testing::TestParamInfo<Dialogue>& dialogue);

}  // namespace pgcourier::replication::test
