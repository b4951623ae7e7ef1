// A server that replays, truncates, stalls, lies about lengths, resets: at each step of each
// dialogue the outcome is an end with a clear error, or none, in time and with little memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "protocol/authentication_error.hpp"
#include "tests/replication/hostile_dialogues.hpp"

#ifdef __SANITIZE_ADDRESS__
// Of AddressSanitizer's runtime; GCC comes without its header.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*allocated)(const volatile void* block, std::size_t size),
    void (*freed)(const volatile void* block));
#endif

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using test::Dialogue;
using test::End;
using test::Sabotage;

constexpr std::size_t max_message_bytes = 1024 * 1024;
constexpr auto patience = 100ms;

// Of this thread, so not the server's.
thread_local std::size_t largest_allocation = 0;

void note_allocation(const volatile void* /*block*/, std::size_t size) {
  largest_allocation = std::max(largest_allocation, size);
}

asio::awaitable<void> converse(Connection& connection, const config::ConnectionTarget& target,
                               const Dialogue& dialogue, std::chrono::milliseconds limit) {
  co_await connection.open(target, dialogue.purpose, {});
  connection.limit_answers(limit);
  if (dialogue.act) co_await dialogue.act(connection);
}

// "fine", or the error. What is not one of ours goes through.
std::string outcome_of(const Dialogue& dialogue, const Sabotage& sabotage,
                       std::chrono::milliseconds limit = patience) {
  test::ScriptedServer server({test::HostileScript(dialogue.turns, sabotage)});
  auto target = server.target();
  target.connect_timeout = limit;
  target.ssl_mode = dialogue.ssl_mode;
  target.max_protocol_version = dialogue.protocol_version;
  target.hosts[0].password = "pencil";
  asio::io_context io;
  Connection connection(io, max_message_bytes);
  std::exception_ptr end;
  asio::co_spawn(io, converse(connection, target, dialogue, limit), [&](std::exception_ptr error) {
    end = error;
    io.stop();  // and don't wait for the time limits of what has ended
  });
  io.run();
  try {
    if (end) std::rethrow_exception(end);
    return "fine";
  } catch (const ConnectionError& error) {
    return error.what();
  } catch (const protocol::ServerError& error) {
    return error.what();
  } catch (const protocol::ProtocolError& error) {
    return error.what();
  } catch (const protocol::AuthenticationError& error) {
    return error.what();
  }
}

// All that an honest server says.
std::vector<std::string> messages_of(const Dialogue& dialogue) {
  std::vector<std::string> messages;
  Sabotage none;
  none.change = [&](std::size_t, const std::string& message) {
    messages.push_back(message);
    return message;
  };
  outcome_of(dialogue, none, 5s);
  return messages;
}

std::size_t bytes_before(const std::vector<std::string>& messages, std::size_t number) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < number; ++i) bytes += messages[i].size();
  return bytes;
}

class HostileServer : public testing::TestWithParam<Dialogue> {
 protected:
  void SetUp() override {
    messages_ = messages_of(GetParam());
    ASSERT_GT(messages_.size(), GetParam().spoiled_from);
  }

  void expect_clear_end(const Sabotage& sabotage) {
    ++cases_;
    largest_allocation = 0;
    const auto begin = std::chrono::steady_clock::now();
    const std::string outcome = outcome_of(GetParam(), sabotage);
    EXPECT_FALSE(outcome.empty()) << sabotage.name;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s) << sabotage.name << ": " << outcome;
    // A buffer of 1 MiB for streams, and the same again for a message that doesn't fit it.
    EXPECT_LT(largest_allocation, 2 * max_message_bytes + 4096) << sabotage.name;
  }
  // Changes one message.
  void spoil(std::size_t number, const std::string& name, const std::string& instead) {
    Sabotage sabotage{.name = name + " of message " + std::to_string(number)};
    sabotage.change = [=](std::size_t at, const std::string& message) {
      return at == number ? instead : message;
    };
    expect_clear_end(sabotage);
  }
  template <typename Spoil>
  void each_message(const Spoil& spoil_it) {
    for (std::size_t i = GetParam().spoiled_from; i < messages_.size(); ++i) {
      spoil_it(i, messages_[i]);
    }
    RecordProperty("cases", std::to_string(cases_));
  }
  std::size_t first_byte() const { return bytes_before(messages_, GetParam().spoiled_from); }
  std::size_t all_bytes() const { return bytes_before(messages_, messages_.size()); }

  std::vector<std::string> messages_;
  int cases_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Each, HostileServer, testing::ValuesIn(test::all_dialogues()),
                         [](const auto& dialogue) {
                           std::string name = dialogue.param.name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST_P(HostileServer, IsFineWhileItIsHonest) {
  const std::string outcome = outcome_of(GetParam(), {}, 5s);
  if (GetParam().name == "refused" || GetParam().name == "several results") {
    EXPECT_NE(outcome.find("sorry"), std::string::npos);
  } else {
    EXPECT_EQ(outcome, "fine");
  }
}

TEST_P(HostileServer, ClosesAtEachByte) {
  for (std::size_t at = first_byte(); at < all_bytes(); ++at) {
    expect_clear_end({.name = "closed after byte " + std::to_string(at), .cut_at = at});
  }
}

TEST_P(HostileServer, ResetsAtEachStep) {
  each_message([&](std::size_t number, const std::string& message) {
    for (const std::size_t within : {std::size_t{0}, std::size_t{1}, message.size() - 1}) {
      const std::size_t at = bytes_before(messages_, number) + within;
      expect_clear_end(
          {.name = "reset after byte " + std::to_string(at), .cut_at = at, .end = End::reset});
    }
  });
}

TEST_P(HostileServer, StallsAtEachStep) {
  each_message([&](std::size_t number, const std::string& message) {
    for (const std::size_t within : {std::size_t{0}, message.size() - 1}) {
      const std::size_t at = bytes_before(messages_, number) + within;
      expect_clear_end(
          {.name = "stalled after byte " + std::to_string(at), .cut_at = at, .end = End::stall});
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
      spoil(number, "length " + std::to_string(length),
            message[0] + test::big_endian(length) + message.substr(5));
    }
  });
}

TEST_P(HostileServer, SendsAnotherTypeForEach) {
  each_message([&](std::size_t number, const std::string& message) {
    for (const char type : "RKSZEDTCdcWGHNAvV123nsItF?\xff"s + '\0') {
      std::string other = message;
      other[0] = type;
      spoil(number, "type "s + type, other);
    }
  });
}

TEST_P(HostileServer, TruncatesAndExtendsEachBody) {
  each_message([&](std::size_t number, const std::string& message) {
    if (message.size() < 5) return;
    for (std::size_t size = 0; size + 5 < message.size(); ++size) {
      spoil(number, "body of " + std::to_string(size),
            test::message(message[0], message.substr(5, size)));
    }
    spoil(number, "longer body", test::message(message[0], message.substr(5) + "more"));
  });
}

TEST_P(HostileServer, DropsRepeatsAndSwapsEach) {
  each_message([&](std::size_t number, const std::string& message) {
    spoil(number, "loss", "");
    spoil(number, "repetition", message + message);
    if (number + 1 == messages_.size()) return;
    Sabotage swap{.name = "message " + std::to_string(number) + " and the next swapped"};
    swap.change = [&, number](std::size_t at, const std::string& good) {
      if (at == number) return messages_[number + 1];
      return at == number + 1 ? messages_[number] : good;
    };
    expect_clear_end(swap);
  });
}

TEST_P(HostileServer, ReplaysAnotherDialogueFromEachStep) {
  for (const Dialogue& other : test::all_dialogues()) {
    const auto messages = messages_of(other);
    std::string replayed;
    for (std::size_t i = other.spoiled_from; i < messages.size(); ++i) replayed += messages[i];
    each_message([&](std::size_t number, const std::string&) {
      spoil(number, other.name + " instead", replayed);
    });
  }
}

class NoteAllocations : public testing::Environment {
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_install_malloc_and_free_hooks(note_allocation, [](const volatile void*) {});
#endif
  }
};
[[maybe_unused]] const auto* const environment =
    testing::AddGlobalTestEnvironment(new NoteAllocations);

}  // namespace
}  // namespace pgcourier::replication
