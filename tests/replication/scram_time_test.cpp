// A server may ask for iterations of SCRAM that take seconds: meanwhile others go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/replication/hostile_scram.hpp"
#include "tests/replication/run_awaitable.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using Clock = std::chrono::steady_clock;
using test::big_endian;
using test::message;
using test::Peer;
using test::ScriptedServer;
using testing::HasSubstr;

// The answer is read and refused: to check it would take as long as to make it.
void ask_for_a_million(Peer& peer) {
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(peer.socket(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  peer.read_untyped();
  peer.send(message('R', big_endian(10) + "SCRAM-SHA-256\0\0"s));
  const std::string first_bare = test::client_first_bare(peer.read_message());
  peer.send(message('R', big_endian(11) + "r=" + first_bare.substr(5) + "server,s=QUJD,i=1000000"));
  const std::string answer = peer.read_message();
  if (answer.find(",p=") != std::string::npos) peer.send(test::error_response("FATAL", "28P01"));
  peer.read(1);
}

struct Times {
  int ticks = 0;
  Clock::duration longest_gap{};
};

asio::awaitable<void> tick(Times& times) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  auto last = Clock::now();
  for (;;) {
    timer.expires_after(5ms);
    co_await timer.async_wait(asio::use_awaitable);
    const auto now = Clock::now();
    ++times.ticks;
    times.longest_gap = std::max(times.longest_gap, now - last);
    last = now;
  }
}

class ScramTime : public testing::Test {
 protected:
  void open(std::chrono::milliseconds connect_timeout) {
    auto target = server_.target();
    target.hosts[0].password = "pencil";
    target.connect_timeout = connect_timeout;
    asio::io_context io;
    Connection connection(io, 1024 * 1024);
    asio::co_spawn(io, tick(times_), asio::detached);
    const auto begin = Clock::now();
    asio::co_spawn(io, connection.open(target, Purpose::sql, no_settings_),
                   [&](std::exception_ptr end) {
                     took_ = Clock::now() - begin;
                     error_ = end;
                     io.stop();
                   });
    io.run();
  }
  template <typename Error>
  std::string told() const {
    try {
      if (error_) std::rethrow_exception(error_);
    } catch (const Error& error) {
      return error.what();
    }
    return "it was opened";
  }

  const std::vector<std::pair<std::string, std::string>> no_settings_;
  ScriptedServer server_{{ask_for_a_million}};
  Times times_;
  Clock::duration took_{};
  std::exception_ptr error_;
};

TEST_F(ScramTime, IsNotTheIoThreads) {
  open(60s);
  EXPECT_THAT(told<protocol::ServerError>(), HasSubstr("28P01"));
  EXPECT_GT(took_, 100ms) << "no million of iterations";
  EXPECT_GT(times_.ticks, 10);
  EXPECT_LT(times_.longest_gap, took_ / 2);
}

TEST_F(ScramTime, EndsWithConnectTimeout) {
  open(50ms);
  EXPECT_THAT(told<ConnectionError>(), HasSubstr("many iterations of SCRAM"));
  EXPECT_LT(took_, 1s);
}

TEST_F(ScramTime, EndsWithTheConnection) {
  const auto begin = Clock::now();
  {
    auto target = server_.target();
    target.hosts[0].password = "pencil";
    asio::io_context io;
    Connection connection(io, 1024 * 1024);
    asio::co_spawn(io, connection.open(target, Purpose::sql, no_settings_), asio::detached);
    io.run_for(50ms);
  }
  EXPECT_LT(Clock::now() - begin, 1s);
}

}  // namespace
}  // namespace pgcourier::replication
