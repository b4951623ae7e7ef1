// Copy-both mode against a scripted server, §55.2.6 and §55.4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replication/connection.hpp"
#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using test::Peer;
using test::ScriptedServer;
using testing::ElementsAre;
using testing::HasSubstr;

using Payloads = std::vector<std::string>;

void start_streaming(Peer& peer) {
  peer.accept_session();
  EXPECT_EQ(peer.read_message(), "QSTART\0"s);
  peer.send(test::copy_both_response());
}

asio::awaitable<void> collect(Connection& connection, Payloads& payloads, std::size_t count) {
  while (payloads.size() < count && !connection.server_ended_copy()) {
    co_await connection.read_some();
    while (const auto payload = connection.next_copy_data()) payloads.emplace_back(*payload);
  }
}

struct Client {
  asio::io_context io;
  Connection connection{io, 64 * 1024 * 1024};
  Payloads payloads;

  explicit Client(const ScriptedServer& server) {
    test::run(io, connection.open(server.target(), Purpose::replication, {}));
    test::run(io, connection.start_copy_both("START"));
  }
  void collect_until(std::size_t count) { test::run(io, collect(connection, payloads, count)); }
};

TEST(CopyBoth, GivesPayloadsHoweverTheyAreCut) {
  const std::string bytes = test::copy_data("one") + test::notice("n") + test::copy_data("") +
                            test::parameter_status("a", "b") + test::copy_data("three");
  for (std::size_t cut = 1; cut < bytes.size(); cut += 5) {
    ScriptedServer server({[&bytes, cut](Peer& peer) {
      start_streaming(peer);
      peer.send(bytes.substr(0, cut));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      peer.send(bytes.substr(cut));
      peer.read(1);
    }});
    Client client(server);
    client.collect_until(3);
    EXPECT_THAT(client.payloads, ElementsAre("one", "", "three"));
    EXPECT_EQ(client.connection.take_notices().size(), 1U);
    client.connection.close();
  }
}

TEST(CopyBoth, NeverWaitsForMoreWhenThePayloadCameWithTheAnswer) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(test::copy_both_response() + test::copy_data("one"));
    peer.read(1);
  }});
  Client client(server);
  client.collect_until(1);
  EXPECT_THAT(client.payloads, ElementsAre("one"));
  client.connection.close();
}

TEST(CopyBoth, TakesAPayloadLargerThanItsBuffer) {
  const std::string large(5 * 1024 * 1024, 'x');
  ScriptedServer server({[&large](Peer& peer) {
    start_streaming(peer);
    for (int i = 0; i < 3; ++i) peer.send(test::copy_data(large) + test::copy_data("small"));
    peer.read(1);
  }});
  Client client(server);
  client.collect_until(6);
  EXPECT_THAT(client.payloads, ElementsAre(large, "small", large, "small", large, "small"));
  client.connection.close();
}

TEST(CopyBoth, SendsWhatItIsGivenInOrder) {
  Payloads received;
  {
    ScriptedServer server({[&received](Peer& peer) {
      start_streaming(peer);
      for (int i = 0; i < 3; ++i) received.push_back(peer.read_message());
      peer.send(test::message('c', "") + test::command_complete("COPY 0") +
                test::ready_for_query());
    }});
    Client client(server);
    client.connection.send_copy_data("first");
    client.connection.send_copy_data("second");
    client.connection.send_copy_done();
    client.connection.send_copy_data("too late");
    client.collect_until(1);
    EXPECT_TRUE(client.connection.server_ended_copy());
    EXPECT_EQ(client.connection.unsent_bytes(), 0U);
  }
  EXPECT_THAT(received, ElementsAre("dfirst", "dsecond", "c"));
}

TEST(CopyBoth, SendsWithoutBlockingWhileTheServerDoesNotRead) {
  const std::string large(1024 * 1024, 'y');
  std::size_t received = 0;
  {
    ScriptedServer server({[&received](Peer& peer) {
      start_streaming(peer);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      for (int i = 0; i < 16; ++i) received += peer.read_message().size();
      peer.send(test::copy_data("thanks"));
      peer.read(1);
    }});
    Client client(server);
    for (int i = 0; i < 16; ++i) client.connection.send_copy_data(large);
    EXPECT_GT(client.connection.unsent_bytes(), 0U);
    client.collect_until(1);
    EXPECT_EQ(client.connection.unsent_bytes(), 0U);
    client.connection.close();
  }
  EXPECT_EQ(received, 16 * (large.size() + 1));
}

TEST(CopyBoth, IsOverAfterTheServersEnd) {
  ScriptedServer server({[](Peer& peer) {
    start_streaming(peer);
    peer.send(test::copy_data("last") + test::message('c', ""));
    EXPECT_EQ(peer.read_message(), "c");
    peer.send(test::command_complete("COPY 0") + test::ready_for_query());
    EXPECT_EQ(peer.read_message(), "Qselect\0"s);
    peer.send(test::one_row("a", "1") + test::command_complete("SELECT 1") +
              test::ready_for_query());
  }});
  Client client(server);
  client.collect_until(2);
  EXPECT_THAT(client.payloads, ElementsAre("last"));
  EXPECT_EQ(test::run(client.io, client.connection.query("select")).rows.size(), 1U);
}

TEST(CopyBoth, IsOverWhenTheServerShutsDown) {
  ScriptedServer server({[](Peer& peer) {
    start_streaming(peer);
    peer.send(test::command_complete("COPY 0"));
  }});
  Client client(server);
  client.collect_until(1);
  EXPECT_TRUE(client.connection.server_ended_copy());
}

TEST(CopyBoth, ThrowsTheServersErrorAndCanBeQueriedAfterwards) {
  ScriptedServer server({[](Peer& peer) {
    start_streaming(peer);
    peer.send(test::copy_data("one") + test::error_response("ERROR", "42704") +
              test::ready_for_query());
    EXPECT_EQ(peer.read_message(), "Qselect\0"s);
    peer.send(test::one_row("a", "1") + test::command_complete("SELECT 1") +
              test::ready_for_query());
  }});
  Client client(server);
  EXPECT_THROW(client.collect_until(2), protocol::ServerError);
  EXPECT_THAT(client.payloads, ElementsAre("one"));
  EXPECT_EQ(test::run(client.io, client.connection.query("select")).rows.size(), 1U);
}

TEST(CopyBoth, GivesTheServersLastWordsBeforeTheFailureToSend) {
  ScriptedServer server({[](Peer& peer) {
    start_streaming(peer);
    peer.send(test::error_response("FATAL", "57P01"));
  }});
  Client client(server);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  client.connection.send_copy_data("status");
  EXPECT_THROW(client.collect_until(1), protocol::ServerError);
}

TEST(CopyBoth, IsNotStartedByAServerThatRefuses) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(test::error_response("ERROR", "55006") + test::ready_for_query());
    EXPECT_EQ(peer.read_message(), "Qselect\0"s);
    peer.send(test::message('I', "") + test::ready_for_query());
  }});
  asio::io_context io;
  Connection connection(io, 1024 * 1024);
  test::run(io, connection.open(server.target(), Purpose::replication, {}));
  EXPECT_THROW(test::run(io, connection.start_copy_both("START")), protocol::ServerError);
  EXPECT_NO_THROW(test::run(io, connection.query("select")));
}

TEST(CopyBoth, RefusesMessagesThatHaveNoPlaceInIt) {
  for (const char type : {'D', 'T', 'R', 'Z', 'W', '\0'}) {
    ScriptedServer server({[type](Peer& peer) {
      start_streaming(peer);
      peer.send(test::message(type, "I"));
      peer.read(1);
    }});
    Client client(server);
    EXPECT_THROW(client.collect_until(1), protocol::ProtocolError);
    client.connection.close();
  }
}

TEST(CopyBoth, EndsAWaitingReaderWhenItIsClosed) {
  ScriptedServer server({[](Peer& peer) {
    start_streaming(peer);
    peer.read(1);
  }});
  Client client(server);
  asio::steady_timer timer(client.io, std::chrono::milliseconds(20));
  timer.async_wait([&client](const boost::system::error_code&) { client.connection.close(); });
  EXPECT_THROW(client.collect_until(1), ConnectionError);
}

}  // namespace
}  // namespace pgcourier::replication
