#include "tests/replication/hostile_suite.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <thread>

#include "protocol/authentication_error.hpp"
#include "tests/replication/hostile_judge.hpp"

#ifdef __SANITIZE_ADDRESS__
// Of AddressSanitizer's runtime; GCC comes without its header.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*allocated)(const volatile void* block, std::size_t size),
    void (*freed)(const volatile void* block));
#endif

namespace pgcourier::replication::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::size_t max_message_bytes = 1024 * 1024;
constexpr std::size_t players = 8;

// Of this thread, so not the server's.
thread_local std::size_t largest_allocation = 0;

[[maybe_unused]] void note_allocation(const volatile void* /*block*/, std::size_t size) {
  largest_allocation = std::max(largest_allocation, size);
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

asio::awaitable<void> converse(Connection& connection, const config::ConnectionTarget& target,
                               const Dialogue& dialogue, std::chrono::milliseconds limit) {
  co_await connection.open(target, dialogue.purpose, {});
  connection.limit_answers(limit);
  if (dialogue.act) co_await dialogue.act(connection);
}

std::string error_of(const std::exception_ptr& end) {
  try {
    if (end) std::rethrow_exception(end);
    return "";
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

std::vector<ScriptedServer::Script> scripts(const Dialogue& dialogue, const Sabotage& sabotage,
                                            const std::shared_ptr<Said>& said) {
  std::vector<ScriptedServer::Script> all;
  if (!dialogue.connection_before.empty()) {
    all.emplace_back(HostileScript(dialogue.connection_before, {}, std::make_shared<Said>()));
  }
  all.emplace_back(HostileScript(dialogue.turns, sabotage, said));
  return all;
}

}  // namespace

Outcome play(const Dialogue& dialogue, const Sabotage& sabotage, std::chrono::milliseconds limit) {
  const auto said = std::make_shared<Said>();
  std::exception_ptr end;
  Outcome outcome;
  largest_allocation = 0;
  const auto begin = std::chrono::steady_clock::now();
  {
    ScriptedServer server(scripts(dialogue, sabotage, said), dialogue.over);
    auto target = server.target();
    target.connect_timeout = limit;
    target.hosts[0].password = "pencil";
    if (dialogue.with) dialogue.with(target);
    asio::io_context io;
    Connection connection(io, max_message_bytes);
    asio::co_spawn(io, converse(connection, target, dialogue, limit),
                   [&](std::exception_ptr error) {
                     end = error;
                     io.stop();  // and don't wait for the time limits of what has ended
                   });
    io.run();
    outcome.took = std::chrono::steady_clock::now() - begin;
    outcome.largest_allocation = largest_allocation;
  }
  outcome.good = end == nullptr;
  outcome.error = error_of(end);
  outcome.said = *said;
  return outcome;
}

std::vector<std::string> honest_units(const Dialogue& dialogue, Sabotage::Of of) {
  std::vector<std::string> units;
  Sabotage none{.name = "none", .of = of};
  none.change = [&](std::size_t, const std::string& unit) {
    units.push_back(unit);
    return unit;
  };
  play(dialogue, none, 5s);
  return units;
}

void HostileSuite::TearDown() {
  std::atomic<std::size_t> next = 0;
  std::array<std::thread, players> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (std::size_t i = next++; i < sabotages_.size(); i = next++) check(sabotages_[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  RecordProperty("cases", std::to_string(sabotages_.size()));
}

void HostileSuite::check(const Sabotage& sabotage) const {
  Outcome outcome;
  try {
    outcome = play(GetParam(), sabotage);
  } catch (const std::exception& error) {
    ADD_FAILURE() << sabotage.name << ": an error of nobody's: " << error.what();
    return;
  }
  if (outcome.good) {
    EXPECT_TRUE(may_be_good(GetParam(), outcome.said)) << sabotage.name << ": taken for good";
  } else {
    EXPECT_NE(outcome.error, "") << sabotage.name;
  }
  EXPECT_LT(outcome.took, 3s) << sabotage.name << ": " << outcome.error;
  // A buffer of 1 MiB for streams, and the same again for a message that doesn't fit it.
  EXPECT_LT(outcome.largest_allocation, 2 * max_message_bytes + 4096) << sabotage.name;
}

void HostileSuite::spoil(Sabotage::Of of, std::size_t number, const std::string& how,
                         const Change& change) {
  Sabotage sabotage{.name = how + " of " + std::to_string(number), .of = of};
  sabotage.change = [=](std::size_t at, const std::string& unit) {
    return at == number ? change(unit) : unit;
  };
  expect_clear_end(std::move(sabotage));
}

void HostileSuite::swap(Sabotage::Of of, std::size_t number) {
  Sabotage sabotage{.name = std::to_string(number) + " and the next swapped", .of = of};
  sabotage.change = [number, held = ""s](std::size_t at, const std::string& unit) mutable {
    if (at == number) {
      held = unit;
      return ""s;
    }
    return at == number + 1 ? unit + held : unit;
  };
  expect_clear_end(std::move(sabotage));
}

void HostileSuite::cut(Sabotage::Of of, std::size_t number, std::size_t after, End end) {
  static const std::array<std::string, 3> names = {"closed", "reset", "stalled"};
  expect_clear_end({.name = names.at(static_cast<std::size_t>(end)) + " after " +
                            std::to_string(after) + " bytes of " + std::to_string(number),
                    .of = of,
                    .cut_unit = number,
                    .cut_after = after,
                    .end = end});
}

std::string name_of(const testing::TestParamInfo<Dialogue>& dialogue) {
  std::string name = dialogue.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

const std::vector<Dialogue>& all_dialogues() {
  static const std::vector<Dialogue> all = [] {
    std::vector<Dialogue> made;
    for (const auto& some : {startup_dialogues(), encrypted_dialogues(), query_dialogues(),
                             walsender_dialogues(), backup_dialogues()}) {
      made.insert(made.end(), some.begin(), some.end());
    }
    return made;
  }();
  return all;
}

}  // namespace pgcourier::replication::test
