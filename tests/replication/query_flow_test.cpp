// Requests and replies against a scripted server: what a real one does not show on demand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replication/copy.hpp"
#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using protocol::Requests;
using test::Peer;
using test::ScriptedServer;
using testing::ElementsAre;
using testing::HasSubstr;

struct Client {
  asio::io_context io;
  Connection connection{io, 1024 * 1024};

  explicit Client(const ScriptedServer& server,
                  std::uint32_t protocol_version = protocol::protocol_3_0) {
    auto target = server.target();
    target.max_protocol_version = protocol_version;
    target.connect_timeout = std::chrono::milliseconds(500);
    test::run(io, connection.open(target, Purpose::sql, {}));
  }
};

asio::awaitable<void> read_all(Connection& connection) {
  while (!connection.dialogue().idle()) {
    static_cast<void>(co_await connection.next_reply());
  }
}

std::string copy_in_response() { return test::message('G', "\0\0\0"s); }
std::string copy_out_response() { return test::message('H', "\0\0\0"s); }

Requests simple() {
  Requests requests;
  requests.query("select");
  return requests;
}
Requests extended() {
  Requests requests;
  requests.parse("", "select").bind("", "", {}).describe_portal("").execute("").sync();
  return requests;
}

// Cut after every byte, the answer ends in ConnectionError that names the server, never in a hang.
void expect_lost(const Requests& requests, const std::string& answer) {
  for (std::size_t cut = 0; cut < answer.size(); ++cut) {
    ScriptedServer server({[&](Peer& peer) {
      peer.accept_session();
      for (std::size_t i = 0; i < requests.asked().size(); ++i) peer.read_message();
      peer.send(answer.substr(0, cut));
    }});
    Client client(server);
    client.connection.send(requests);
    try {
      test::run(client.io, read_all(client.connection));
      ADD_FAILURE() << "cut after " << cut;
    } catch (const ConnectionError& error) {
      EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:"));
    }
  }
}

TEST(QueryFlow, EndsWithAnErrorWhereverTheServerGoesAway) {
  const std::string row = test::one_row("a", "1") + test::command_complete("SELECT 1");
  expect_lost(simple(), row + test::ready_for_query());
  expect_lost(extended(),
              test::message('1', "") + test::message('2', "") + row + test::ready_for_query());
  expect_lost(simple(), copy_out_response() + test::copy_data("one") + test::message('c', "") +
                            test::command_complete("COPY 1") + test::ready_for_query());
  Requests function;
  function.function_call(1, {}, protocol::FormatCode::text);
  expect_lost(function, test::message('V', test::big_endian(0xffffffff)) + test::ready_for_query());
}

TEST(QueryFlow, EndsWithAnErrorWhenTheServerGoesAwayInACopyIn) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(copy_in_response());
    for (int i = 0; i < 3; ++i) peer.read_message();
  }});
  Client client(server);
  const CopySource endless = []() -> std::optional<std::string_view> { return "1\n"; };
  EXPECT_THROW(test::run(client.io, copy_in(client.connection, simple(), endless)),
               ConnectionError);
}

TEST(QueryFlow, TakesAsynchronousMessagesInTheMiddleOfCopies) {
  const std::string asynchronous = test::notification("text") + test::notice("careful") +
                                   test::parameter_status("TimeZone", "x");
  ScriptedServer server({[&](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(asynchronous + copy_in_response() + asynchronous);
    EXPECT_EQ(peer.read_message(), "dline");
    EXPECT_EQ(peer.read_message(), "c");
    peer.send(asynchronous + test::command_complete("COPY 1") + test::ready_for_query());
    peer.read_message();
    peer.send(copy_out_response() + asynchronous + test::copy_data("line") + asynchronous +
              test::message('c', "") + asynchronous + test::command_complete("COPY 1") +
              test::ready_for_query() + asynchronous);
  }});
  Client client(server);
  bool given = false;
  const CopySource line = [&]() -> std::optional<std::string_view> {
    return std::exchange(given, true) ? std::nullopt : std::optional<std::string_view>("line");
  };
  EXPECT_EQ(test::run(client.io, copy_in(client.connection, simple(), line)), "COPY 1");
  EXPECT_EQ(client.connection.take_notifications().size(), 3U);
  std::string data;
  test::run(client.io,
            copy_out(client.connection, simple(), [&](std::string_view piece) { data += piece; }));
  EXPECT_EQ(data, "line");
  test::run(client.io, client.connection.wait_notification());
  EXPECT_GE(client.connection.take_notifications().size(), 3U);
  EXPECT_EQ(client.connection.server().parameters.at("TimeZone"), "x");
}

TEST(QueryFlow, GivesTheErrorOfAStatementThatFailedInItsMiddle) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    for (int i = 0; i < 10; ++i) peer.read_message();
    const std::string bound = test::message('1', "") + test::message('2', "");
    peer.send(bound + test::one_row("a", "1") + test::error_response("ERROR", "22012") +
              test::ready_for_query() + bound + test::one_row("a", "1") +
              test::command_complete("SELECT 1") + test::ready_for_query());
    peer.read_message();
    peer.send(test::one_row("a", "1") + test::command_complete("SELECT 1") +
              test::ready_for_query());
  }});
  Client client(server);
  const std::vector<Statement> statements = {Statement{"select 1", {}}, Statement{"select 2", {}}};
  try {
    test::run(client.io, client.connection.query_each(statements));
    ADD_FAILURE() << "no error";
  } catch (const protocol::ServerError& error) {
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  EXPECT_EQ(test::run(client.io, client.connection.query("select")).rows.size(), 1U);
}

TEST(QueryFlow, GivesACopyOnlyItsOwnRows) {
  const std::string done =
      test::message('c', "") + test::command_complete("COPY 1") + test::ready_for_query();
  ScriptedServer server({[&](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(copy_out_response() + test::copy_data("first") + test::copy_data("rest") + done);
    peer.read_message();
    peer.send(copy_out_response() + test::copy_data("second") + done);
    peer.read_message();
    peer.send(copy_out_response() + test::copy_data("third") + test::copy_data("rest") + done);
    peer.read_message();
    peer.send(copy_in_response());
    EXPECT_EQ(peer.read_message(), "dline");
    EXPECT_EQ(peer.read_message(), "c");
    peer.send(test::command_complete("COPY 1") + test::ready_for_query());
  }});
  Client client(server);
  const CopySink full = [](std::string_view) { throw std::runtime_error("no space"); };
  EXPECT_THROW(test::run(client.io, copy_out(client.connection, simple(), full)),
               std::runtime_error);
  std::string data;
  test::run(client.io,
            copy_out(client.connection, simple(), [&](std::string_view piece) { data += piece; }));
  EXPECT_EQ(data, "second");
  EXPECT_THROW(test::run(client.io, copy_out(client.connection, simple(), full)),
               std::runtime_error);
  bool given = false;
  const CopySource line = [&]() -> std::optional<std::string_view> {
    return std::exchange(given, true) ? std::nullopt : std::optional<std::string_view>("line");
  };
  EXPECT_EQ(test::run(client.io, copy_in(client.connection, simple(), line)), "COPY 1");
}

TEST(QueryFlow, GivesTheNotificationsOfTheReplicationStream) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(test::notification("one") + test::copy_both_response() + test::notification("two") +
              test::copy_data("data") + test::notification("three") + test::message('c', ""));
    peer.read(1);
  }});
  Client client(server);
  test::run(client.io, client.connection.start_copy_both("START"));
  std::vector<std::string> payloads;
  while (!client.connection.server_ended_copy()) {
    test::run(client.io, client.connection.read_some());
    while (const auto data = client.connection.next_copy_data()) payloads.emplace_back(*data);
  }
  EXPECT_THAT(payloads, ElementsAre("data"));
  const auto notifications = client.connection.take_notifications();
  ASSERT_EQ(notifications.size(), 3U);
  EXPECT_EQ(notifications[2].payload, "three");
  client.connection.close();
}

TEST(QueryFlow, RefusesToWaitForNothing) {
  ScriptedServer server({[](Peer& peer) { peer.accept_session(); }});
  Client client(server);
  EXPECT_THROW(test::run(client.io, client.connection.next_reply()), std::logic_error);
  client.connection.send(simple());
  EXPECT_THROW(test::run(client.io, client.connection.wait_notification()), std::logic_error);
}

TEST(QueryFlow, ThrowsWhatTheServerSaysBeforeItShutsDown) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    peer.send(test::error_response("FATAL", "57P01"));
  }});
  Client client(server);
  EXPECT_THROW(test::run(client.io, client.connection.wait_notification()), protocol::ServerError);
}

// What the second connection brings after the session's own.
std::string cancelled_by(std::vector<ScriptedServer::Script> scripts) {
  scripts.insert(scripts.begin(), [](Peer& peer) {
    peer.accept_session();
    peer.read_message();
  });
  ScriptedServer server(std::move(scripts));
  auto client = std::make_unique<Client>(server);
  std::string error;
  try {
    client->connection.close();
    test::run(client->io, client->connection.cancel());
  } catch (const ConnectionError& failure) {
    error = failure.what();
  }
  return error;
}

TEST(QueryFlow, CancelsWithTheKeyOfTheSession) {
  std::string request;
  EXPECT_EQ(cancelled_by({[&](Peer& peer) { request = peer.read_untyped(); }}), "");
  EXPECT_EQ(request, test::big_endian(1234 << 16 | 5678) + test::big_endian(4711) + "key!");
}

TEST(QueryFlow, CancelsWithALongKey) {
  const std::string key(256, 'k');
  std::string request;
  ScriptedServer server({[&](Peer& peer) {
                           peer.read_untyped();
                           peer.send(test::message('R', test::big_endian(0)) +
                                     test::message('K', test::big_endian(1) + key) +
                                     test::ready_for_query());
                         },
                         [&](Peer& peer) { request = peer.read_untyped(); }});
  Client client(server, protocol::protocol_3_2);
  test::run(client.io, client.connection.cancel());
  EXPECT_EQ(request, test::big_endian(1234 << 16 | 5678) + test::big_endian(1) + key);
}

TEST(QueryFlow, TellsWhyACancelFailed) {
  EXPECT_THAT(cancelled_by({}), HasSubstr("127.0.0.1"));
  EXPECT_THAT(cancelled_by({[](Peer& peer) {
                peer.read_untyped();
                peer.send("?");
                peer.read(1);
              }}),
              HasSubstr("answered"));
  EXPECT_THAT(cancelled_by({[](Peer& peer) {
                peer.read_untyped();
                peer.read(1);
              }}),
              HasSubstr("500 ms"));
  EXPECT_THAT(cancelled_by({[](Peer& peer) { peer.reset_at_close(); }}), HasSubstr("127.0.0.1"));
}

}  // namespace
}  // namespace pgcourier::replication
