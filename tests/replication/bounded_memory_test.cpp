// What a server can make us keep, message for message, has an end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using test::Peer;
using test::ScriptedServer;
using testing::HasSubstr;

constexpr std::size_t max_message_bytes = 1024 * 1024;

struct Client {
  asio::io_context io;
  Connection connection{io, max_message_bytes};

  explicit Client(const ScriptedServer& server) {
    test::run(io, connection.open(server.target(), Purpose::sql, {}));
  }
  std::string broken_by_query() {
    try {
      test::run(io, connection.query("select"));
      return "";
    } catch (const protocol::ProtocolError& error) {
      return error.what();
    }
  }
};

ScriptedServer::Script flood(std::function<std::string(int)> message, int times) {
  return [=](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    for (int i = 0; i < times; ++i) peer.send(message(i));
    peer.send(test::one_row("a", "1") + test::command_complete("SELECT 1") +
              test::ready_for_query());
    peer.wait_end(std::chrono::seconds(5));
  };
}

TEST(BoundedMemory, KeepsOnlyTheNewestNotices) {
  const std::string text(10'000, 'x');
  ScriptedServer server(
      {flood([&](int i) { return test::notice(std::to_string(i) + text); }, 1'000)});
  Client client(server);
  test::run(client.io, client.connection.query("select"));
  const auto notices = client.connection.take_notices();
  EXPECT_GT(notices.size(), 90U);
  EXPECT_LT(notices.size(), 105U);
  EXPECT_EQ(notices.back().message, "999" + text);
  EXPECT_TRUE(client.connection.take_notices().empty());
}

TEST(BoundedMemory, KeepsOnlyTheNewestNoticesOfStartUp) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    for (int i = 0; i < 1'000; ++i) {
      peer.send(test::notice(std::to_string(i) + std::string(10'000, 'x')));
    }
    peer.send(test::welcome());
    peer.wait_end(std::chrono::seconds(5));
  }});
  Client client(server);
  const auto notices = client.connection.take_notices();
  EXPECT_GT(notices.size(), 90U);
  EXPECT_LT(notices.size(), 105U);
  EXPECT_TRUE(notices.back().message.starts_with("999x"));
}

TEST(BoundedMemory, CountsWhatASmallNoticeTakes) {
  ScriptedServer server({flood([](int) { return test::message('N', "\0"s); }, 10'000)});
  Client client(server);
  test::run(client.io, client.connection.query("select"));
  EXPECT_LT(client.connection.take_notices().size() * sizeof(protocol::ServerFields),
            max_message_bytes);
}

TEST(BoundedMemory, KeepsNoNoticeThatIsLongerThanAllMayBe) {
  ScriptedServer server(
      {flood([](int) { return test::notice(std::string(max_message_bytes - 100, 'x')); }, 3)});
  Client client(server);
  test::run(client.io, client.connection.query("select"));
  EXPECT_TRUE(client.connection.take_notices().empty());
}

TEST(BoundedMemory, KeepsOnlyTheNewestNotifications) {
  const std::string text(7'000, 'x');
  ScriptedServer server(
      {flood([&](int i) { return test::notification(std::to_string(i) + text); }, 3'000)});
  Client client(server);
  test::run(client.io, client.connection.query("select"));
  const auto notifications = client.connection.take_notifications();
  EXPECT_GT(notifications.size(), 1'000U);
  EXPECT_LT(notifications.size(), 1'200U);
  EXPECT_EQ(notifications.back().payload, "2999" + text);
}

TEST(BoundedMemory, EndsWhereParametersHaveNoEnd) {
  ScriptedServer server(
      {flood([](int i) { return test::parameter_status(std::to_string(i), "on"); }, 2'000)});
  EXPECT_THAT(Client(server).broken_by_query(), HasSubstr("too many parameters"));
}

TEST(BoundedMemory, EndsWhereAnAnswerHasNoEnd) {
  const std::string row =
      test::message('D', "\0\1"s + test::big_endian(10'000) + std::string(10'000, 'x'));
  ScriptedServer server(
      {flood([&](int i) { return i == 0 ? test::one_row("a", "1") : row; }, 200)});
  EXPECT_THAT(Client(server).broken_by_query(), HasSubstr("more than 1048576 bytes"));
}

TEST(BoundedMemory, CountsWhatARowOfNullsTakes) {
  const std::string column = "a\0"s + test::big_endian(0) + "\0\0"s + test::big_endian(25) +
                             "\xff\xff"s + test::big_endian(0xffffffff) + "\0\0"s;
  std::string description = "\0\x64"s;
  std::string nulls = "\0\x64"s;
  for (int i = 0; i < 100; ++i) {
    description += column;
    nulls += test::big_endian(0xffffffff);
  }
  ScriptedServer server({flood(
      [&](int i) { return i == 0 ? test::message('T', description) : test::message('D', nulls); },
      1'000)});
  EXPECT_THAT(Client(server).broken_by_query(), HasSubstr("more than 1048576 bytes"));
}

TEST(BoundedMemory, EndsWhereResultsHaveNoEnd) {
  ScriptedServer server({flood([](int) { return test::message('I', ""); }, 100'000)});
  EXPECT_THAT(Client(server).broken_by_query(), HasSubstr("more than 1048576 bytes"));
}

}  // namespace
}  // namespace pgcourier::replication
