// A server that replays, truncates, stalls, lies about lengths, resets: at each step of each
// dialogue the outcome is an end with a clear error, or none where what was said is good enough
// (hostile_judge.hpp), in time and with little memory.
#include <gtest/gtest.h>

#include "tests/replication/hostile_judge.hpp"
#include "tests/replication/hostile_suite.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using test::Dialogue;
using test::End;

constexpr auto messages = test::Sabotage::Of::messages;

class HostileServer : public test::HostileSuite {
 protected:
  void SetUp() override {
    messages_ = test::honest_units(GetParam(), messages);
    ASSERT_GT(messages_.size(), GetParam().spoiled_from);
  }

  template <typename Spoil>
  void each_message(const Spoil& spoil_it) const {
    for (std::size_t i = GetParam().spoiled_from; i < messages_.size(); ++i) {
      spoil_it(i, messages_[i]);
    }
  }

  std::vector<std::string> messages_;
};

INSTANTIATE_TEST_SUITE_P(Each, HostileServer, testing::ValuesIn(test::all_dialogues()),
                         test::name_of);

TEST_P(HostileServer, ClosesAtEachByte) {
  each_message([&](std::size_t number, const std::string& message) {
    for (std::size_t at = 0; at < message.size(); ++at) cut(messages, number, at, End::close);
  });
}

TEST_P(HostileServer, ResetsAtEachStep) {
  each_message([&](std::size_t number, const std::string& message) {
    for (const std::size_t within : {std::size_t{0}, std::size_t{1}, message.size() - 1}) {
      cut(messages, number, within, End::reset);
    }
  });
}

TEST_P(HostileServer, StallsAtEachStep) {
  each_message([&](std::size_t number, const std::string& message) {
    for (const std::size_t within : {std::size_t{0}, message.size() - 1}) {
      cut(messages, number, within, End::stall);
    }
  });
}

TEST_P(HostileServer, DripsBytes) { expect_clear_end({.name = "drip", .drip = true}); }

TEST_P(HostileServer, LiesAboutEachLength) {
  each_message([&](std::size_t number, const std::string& message) {
    if (message.size() < 5) return;
    const auto true_length = static_cast<std::uint32_t>(message.size() - 1);
    for (const std::uint32_t length : {0U, 3U, 4U, true_length - 1, true_length + 1, 0x00ffffffU,
                                       0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      spoil(messages, number, "length " + std::to_string(length),
            [length](const std::string& good) {
              return good[0] + test::big_endian(length) + good.substr(5);
            });
    }
  });
}

TEST_P(HostileServer, SendsAnotherTypeForEach) {
  each_message([&](std::size_t number, const std::string&) {
    for (const char type : "RKSZEDTCdcWGHNAvV123nsItF?\xff"s + '\0') {
      spoil(messages, number, "type "s + type,
            [type](const std::string& good) { return type + good.substr(1); });
    }
  });
}

TEST_P(HostileServer, TruncatesAndExtendsEachBody) {
  each_message([&](std::size_t number, const std::string& message) {
    if (message.size() < 5) return;
    for (std::size_t size = 0; size + 5 < message.size(); ++size) {
      spoil(messages, number, "body of " + std::to_string(size), [size](const std::string& good) {
        return test::message(good[0], good.substr(5, size));
      });
    }
    spoil(messages, number, "longer body",
          [](const std::string& good) { return test::message(good[0], good.substr(5) + "more"); });
  });
}

TEST_P(HostileServer, DropsRepeatsAndSwapsEach) {
  each_message([&](std::size_t number, const std::string&) {
    spoil(messages, number, "loss", [](const std::string&) { return ""s; });
    spoil(messages, number, "repetition", [](const std::string& good) { return good + good; });
    if (number + 1 < messages_.size()) swap(messages, number);
  });
}

// Those that say the same types are as good as one of them, and under TLS they say what the others
// do.
TEST_P(HostileServer, ReplaysAnotherDialogueFromEachStep) {
  std::set<std::string> seen;
  for (const Dialogue& other : test::all_dialogues()) {
    if (other.bytes_in_clear > 0) continue;
    auto replayed = test::honest_units(other, messages);
    replayed.erase(replayed.begin(),
                   replayed.begin() + static_cast<std::ptrdiff_t>(other.spoiled_from));
    std::string bytes;
    std::string types;
    for (const std::string& message : replayed) {
      bytes += message;
      types += message[0];
    }
    if (!seen.insert(types).second) continue;
    each_message([&](std::size_t number, const std::string&) {
      test::Sabotage sabotage{.name = other.name + " instead of " + std::to_string(number),
                              .replayed = replayed};
      sabotage.change = [number, bytes](std::size_t at, const std::string& good) {
        return at == number ? bytes : good;
      };
      expect_clear_end(std::move(sabotage));
    });
  }
}

class HonestServer : public testing::TestWithParam<Dialogue> {};

INSTANTIATE_TEST_SUITE_P(Each, HonestServer, testing::ValuesIn(test::all_dialogues()),
                         test::name_of);

TEST_P(HonestServer, IsTakenForOne) {
  const test::Outcome outcome = test::play(GetParam(), {}, 5s);
  if (GetParam().honest_error.empty()) {
    EXPECT_TRUE(outcome.good) << outcome.error;
    EXPECT_TRUE(test::may_be_good(GetParam(), outcome.said)) << "not by the judge";
  } else {
    EXPECT_NE(outcome.error.find(GetParam().honest_error), std::string::npos) << outcome.error;
    EXPECT_FALSE(test::may_be_good(GetParam(), outcome.said)) << "by the judge";
  }
}

}  // namespace
}  // namespace pgcourier::replication
