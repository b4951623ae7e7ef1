// Queries against a scripted server; what a real one does is in live_*_test.cpp.
#include "replication/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using test::Peer;
using test::ScriptedServer;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t message_limit = 1024 * 1024;

struct Client {
  asio::io_context io;
  Connection connection{io, message_limit};

  void open(const ScriptedServer& server) {
    test::run(io, connection.open(server.target(), Purpose::sql, {}));
  }
  QueryResult query(std::string_view sql) { return test::run(io, connection.query(sql)); }
};

void answer(Peer& peer, const std::string& bytes) {
  EXPECT_EQ(peer.read_message(), "Qselect\0"s);
  peer.send(bytes);
}

TEST(Connection, KeepsWhatTheServerToldAtStartUp) {
  ScriptedServer server({[](Peer& peer) { peer.accept_session(); }});
  Client client;
  client.open(server);
  EXPECT_EQ(client.connection.server_version(), 150004);
  EXPECT_EQ(client.connection.server().process_id, 4711);
  EXPECT_EQ(client.connection.peer(), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_FALSE(client.connection.uses_tls());
}

TEST(Connection, GivesTheLastResultSet) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    answer(peer, test::one_row("a", "1") + test::command_complete("SELECT 1") +
                     test::one_row("b", "2") + test::command_complete("SELECT 1") +
                     test::ready_for_query());
  }});
  Client client;
  client.open(server);
  const QueryResult result = client.query("select");
  EXPECT_THAT(result.columns, ElementsAre("b"));
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_THAT(result.rows[0], ElementsAre("2"));
  EXPECT_EQ(result.command_tag, "SELECT 1");
}

TEST(Connection, IsUsableAfterAnErrorThatIsNotFatal) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    answer(peer, test::error_response("ERROR", "42P01") + test::ready_for_query());
    answer(peer,
           test::one_row("a", "1") + test::command_complete("SELECT 1") + test::ready_for_query());
  }});
  Client client;
  client.open(server);
  EXPECT_THROW(client.query("select"), protocol::ServerError);
  EXPECT_EQ(client.query("select").rows.size(), 1U);
}

TEST(Connection, ThrowsAFatalErrorAtOnce) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    answer(peer, test::error_response("FATAL", "57P01"));
  }});
  Client client;
  client.open(server);
  EXPECT_THROW(client.query("select"), protocol::ServerError);
}

TEST(Connection, TakesAsynchronousMessagesAnywhere) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    const std::string asynchronous = test::notice("careful") +
                                     test::parameter_status("TimeZone", "UTC") +
                                     test::message('A', test::big_endian(1) + "channel\0text\0"s);
    answer(peer, asynchronous + test::one_row("a", "1") + asynchronous +
                     test::command_complete("SELECT 1") + asynchronous + test::ready_for_query());
  }});
  Client client;
  client.open(server);
  EXPECT_EQ(client.query("select").rows.size(), 1U);
  EXPECT_EQ(client.connection.take_notices().size(), 3U);
  EXPECT_EQ(client.connection.take_notices().size(), 0U);
  EXPECT_EQ(client.connection.server().parameters.at("TimeZone"), "UTC");
}

TEST(Connection, TellsWhoClosedInTheMiddleOfAMessage) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    answer(peer, test::one_row("a", "1").substr(0, 20));
  }});
  Client client;
  client.open(server);
  try {
    client.query("select");
    FAIL();
  } catch (const ConnectionError& error) {
    EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:" + std::to_string(server.port())));
    EXPECT_THAT(error.what(), HasSubstr("closed the connection"));
  }
}

TEST(Connection, RefusesAMessageLongerThanItsLimit) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    answer(peer, "D" + test::big_endian(message_limit));
    peer.read(1);
  }});
  Client client;
  client.open(server);
  EXPECT_THROW(client.query("select"), protocol::ProtocolError);
  client.connection.close();
}

TEST(Connection, RefusesMessagesThatAnswerNoQuery) {
  for (const char type : {'d', 'W', 'G', 'R', '\x07'}) {
    ScriptedServer server({[type](Peer& peer) {
      peer.accept_session();
      answer(peer, test::message(type, ""));
    }});
    Client client;
    client.open(server);
    EXPECT_THROW(client.query("select"), protocol::ProtocolError);
  }
}

TEST(Connection, SaysGoodbye) {
  std::string goodbye;
  {
    ScriptedServer server({[&goodbye](Peer& peer) {
      peer.accept_session();
      goodbye = peer.read_message();
    }});
    Client client;
    client.open(server);
    test::run(client.io, client.connection.terminate());
    EXPECT_THROW(client.query("select"), ConnectionError);
  }
  EXPECT_EQ(goodbye, "X");
}

}  // namespace
}  // namespace pgcourier::replication
