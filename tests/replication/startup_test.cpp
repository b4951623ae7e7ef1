// Opening a connection, when servers refuse, lie, or say nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "protocol/message_framer.hpp"
#include "replication/connection.hpp"
#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using config::ConnectionTarget;
using config::SslMode;
using config::TargetSessionAttrs;
using test::Peer;
using test::ScriptedServer;
using testing::HasSubstr;

// Its peer, or what() of the ConnectionError.
std::string open(const ConnectionTarget& target, Purpose purpose = Purpose::sql) {
  asio::io_context io;
  Connection connection(io, 1024 * 1024);
  try {
    test::run(io, connection.open(target, purpose, {}));
    return "opened " + connection.peer();
  } catch (const ConnectionError& error) {
    return error.what();
  }
}

std::string opened(const ScriptedServer& server) {
  return "opened 127.0.0.1:" + std::to_string(server.port());
}

void standby(Peer& peer) {
  peer.read_untyped();
  peer.send(
      test::message('R', test::big_endian(0)) + test::parameter_status("in_hot_standby", "on") +
      test::parameter_status("default_transaction_read_only", "off") + test::ready_for_query());
  peer.read_message();
}

void primary(Peer& peer) {
  peer.accept_session();
  peer.read_message();
}

void starting_up(Peer& peer) {
  peer.read_untyped();
  peer.send(test::error_response("FATAL", "57P03"));
}

TEST(Open, RefusesBytesThatCameInClearWithTheAnswerToSslRequest) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send("S" + test::error_response("FATAL", "XX000"));
    peer.read(1);
  }});
  auto target = server.target();
  target.ssl_mode = SslMode::require;
  EXPECT_THAT(open(target), HasSubstr("unencrypted bytes"));
}

// Whoever can put bytes in clear there would be talked to in clear.
TEST(Open, NeverGoesOnInClearAfterBytesInClear) {
  ScriptedServer server({[](Peer& peer) {
                           peer.read_untyped();
                           peer.send("S" + test::error_response("FATAL", "XX000"));
                           peer.read(1);
                         },
                         [](Peer& peer) { peer.accept_session(); }});
  auto target = server.target();
  target.ssl_mode = SslMode::prefer;
  EXPECT_THAT(open(target), HasSubstr("unencrypted bytes"));
}

TEST(Open, NeverGoesOnInClearWhereTheConnectionIsLost) {
  for (const char* before_the_end : {"", "N"}) {
    ScriptedServer server({[&](Peer& peer) {
                             peer.read_untyped();
                             peer.send(before_the_end);
                           },
                           [](Peer& peer) { peer.accept_session(); }});
    auto target = server.target();
    target.ssl_mode = SslMode::prefer;
    EXPECT_THAT(open(target), Not(HasSubstr("opened"))) << before_the_end;
  }
}

TEST(Open, RefusesBytesInClearWhereDirectTlsMustBegin) {
  ScriptedServer server({[](Peer& peer) {
    peer.send(test::welcome());
    peer.read(1);
  }});
  auto target = server.target();
  target.ssl_mode = SslMode::require;
  target.ssl_direct = true;
  // Whether they come before our first bytes or after.
  EXPECT_THAT(open(target),
              testing::AnyOf(HasSubstr("unencrypted bytes"), HasSubstr("TLS handshake failed")));
}

TEST(Open, RefusesAServerWithoutTlsWhereTlsIsRequired) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send("N");
    EXPECT_EQ(peer.read_untyped(), "");
  }});
  auto target = server.target();
  target.ssl_mode = SslMode::require;
  EXPECT_THROW(open(target), protocol::AuthenticationError);
}

TEST(Open, GoesOnInClearWhereTlsIsOnlyPreferred) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send("N");
    peer.accept_session();
  }});
  auto target = server.target();
  target.ssl_mode = SslMode::prefer;
  EXPECT_EQ(open(target), opened(server));
}

TEST(Open, TriesAgainInClearWhenTlsFailsAndIsOnlyPreferred) {
  ScriptedServer server({[](Peer& peer) {
                           peer.read_untyped();
                           peer.send("S");
                           peer.read(1);
                           peer.send("no TLS at all");
                         },
                         [](Peer& peer) { peer.accept_session(); }});
  auto target = server.target();
  target.ssl_mode = SslMode::prefer;
  EXPECT_EQ(open(target), opened(server));
}

TEST(Open, NeverTriesInClearWhatMustBeTls) {
  ScriptedServer server({[](Peer& peer) {
                           peer.read_untyped();
                           peer.send("S");
                           peer.read(1);
                           peer.send("no TLS at all");
                         },
                         [](Peer& peer) { peer.accept_session(); }});
  auto target = server.target();
  target.ssl_mode = SslMode::require;
  EXPECT_THAT(open(target), HasSubstr("TLS handshake failed"));
}

TEST(Open, ChecksWhoListensOnAUnixSocket) {
  ScriptedServer server({[](Peer& peer) { peer.accept_session(); },
                         [](Peer& peer) { EXPECT_EQ(peer.read_untyped(), ""); }},
                        ScriptedServer::Over::unix_socket);
  auto target = server.target();
  const std::string ours = ::getpwuid(::geteuid())->pw_name;
  target.require_peer = ours;
  EXPECT_THAT(open(target), HasSubstr("opened"));
  target.require_peer = "somebody else";
  try {
    open(target);
    ADD_FAILURE() << "it was opened";
  } catch (const protocol::AuthenticationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("runs as \"" + ours + "\", not as \"somebody else\""));
  }
}

TEST(Open, DoesNotAskWhoListensElsewhere) {
  ScriptedServer server({[](Peer& peer) { peer.accept_session(); }});
  auto target = server.target();
  target.require_peer = "somebody else";
  EXPECT_EQ(open(target), opened(server));
}

TEST(Open, RefusesGarbage) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.read(1);
  }});
  EXPECT_THROW(open(server.target()), protocol::ProtocolError);
}

// In the words of version 2. Short or long, whole or byte by byte, over TCP or a Unix-domain
// socket.
TEST(Open, TellsTheReasonOfAPostmasterThatCannotFork) {
  for (const std::string& reason :
       {"no"s, "could not fork new process for connection: Cannot allocate memory"s,
        "could not fork: "s + std::string(60'000, 'x')}) {
    for (const bool drips : {false, true}) {
      if (drips && reason.size() > 1'000) continue;
      ScriptedServer server({[&](Peer& peer) {
                              peer.read_untyped();
                              const std::string answer = 'E' + reason + "\n\0"s;
                              if (!drips) peer.send(answer);
                              for (const char byte : drips ? answer : "") {
                                peer.send({byte});
                                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                              }
                              peer.read(1);
                            }},
                            drips ? ScriptedServer::Over::unix_socket : ScriptedServer::Over::tcp);
      EXPECT_THAT(open(server.target()), HasSubstr("FATAL 57P03: " + reason.substr(0, 1'000)));
    }
  }
}

TEST(Open, TriesTheNextHostAfterAPostmasterThatCannotFork) {
  ScriptedServer first({[](Peer& peer) {
    peer.read_untyped();
    peer.send("Ecould not fork\n\0"s);
  }});
  ScriptedServer second({primary});
  auto target = first.target();
  target.hosts.push_back(second.host());
  EXPECT_EQ(open(target), opened(second));
}

TEST(Open, TakesAnErrorWithoutALengthForTheFirstMessageOnly) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send(test::notice("hello") + "Ecould not fork\n\0"s);
    peer.read(1);
  }});
  EXPECT_THROW(open(server.target()), protocol::ProtocolError);
}

TEST(Open, BoundsAnErrorWithoutALength) {
  ScriptedServer endless({[](Peer& peer) {
    peer.read_untyped();
    peer.send('E' + std::string(protocol::max_startup_message_bytes, 'x'));
    peer.read(1);
  }});
  EXPECT_THROW(open(endless.target()), protocol::ProtocolError);

  ScriptedServer stalled({[](Peer& peer) {
    peer.read_untyped();
    peer.send("Ecould not");
    EXPECT_EQ(peer.read(1), "");
  }});
  auto target = stalled.target();
  target.connect_timeout = std::chrono::milliseconds(100);
  EXPECT_THAT(open(target), HasSubstr("connect_timeout"));

  ScriptedServer cut({[](Peer& peer) {
    peer.read_untyped();
    peer.send("E");
  }});
  EXPECT_THAT(open(cut.target()), HasSubstr("closed the connection unexpectedly"));
}

TEST(Open, KeepsTheNoticesOfStartUp) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send(test::notice("before") + test::welcome() + test::notice("after"));
    peer.read(1);
  }});
  asio::io_context io;
  Connection connection(io, 1024 * 1024);
  test::run(io, connection.open(server.target(), Purpose::sql, {}));
  const auto notices = connection.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].message, "before");
  EXPECT_EQ(notices[0].severity_unlocalized, "NOTICE");
  EXPECT_EQ(notices[0].sqlstate, "00000");
}

TEST(Open, RefusesANoticeThatIsNone) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send(test::message('N', "Shello"));
    peer.read(1);
  }});
  EXPECT_THROW(open(server.target()), protocol::ProtocolError);
}

TEST(Open, NeverReservesMemoryForAStranger) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send("R" + test::big_endian(512 * 1024));
    peer.read(1);
  }});
  EXPECT_THROW(open(server.target()), protocol::ProtocolError);
}

TEST(Open, SaysWhoClosed) {
  ScriptedServer server({[](Peer& peer) { peer.read_untyped(); }});
  EXPECT_THAT(open(server.target()), HasSubstr("closed the connection unexpectedly"));
}

TEST(Open, GivesUpAServerThatSaysNothing) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    EXPECT_EQ(peer.read(1), "");
  }});
  auto target = server.target();
  target.connect_timeout = std::chrono::milliseconds(100);
  EXPECT_THAT(open(target), HasSubstr("connect_timeout"));
}

TEST(Open, GivesUpAServerThatSaysNothingToSslRequest) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    EXPECT_EQ(peer.read(1), "");
  }});
  auto target = server.target();
  target.connect_timeout = std::chrono::milliseconds(100);
  target.ssl_mode = SslMode::prefer;
  EXPECT_THAT(open(target), HasSubstr("connect_timeout"));
}

TEST(Open, TriesTheNextHostAndNamesAllThatFailed) {
  ScriptedServer first({starting_up});
  ScriptedServer second({primary});
  auto target = first.target();
  config::Host nobody = first.host();
  nobody.port = 1;
  target.hosts = {nobody, first.host(), second.host()};
  EXPECT_EQ(open(target), opened(second));

  ScriptedServer again({starting_up});
  target.hosts = {nobody, again.host()};
  const std::string report = open(target);
  EXPECT_THAT(report, HasSubstr("127.0.0.1:1: Connection refused"));
  EXPECT_THAT(report, HasSubstr("57P03"));
}

TEST(Open, NeverHidesARefusalBehindTheNextHost) {
  ScriptedServer first({[](Peer& peer) {
    peer.read_untyped();
    peer.send(test::error_response("FATAL", "28P01"));
  }});
  ScriptedServer second({primary});
  auto target = first.target();
  target.hosts.push_back(second.host());
  EXPECT_THROW(open(target), protocol::ServerError);
}

TEST(Open, LooksForThePrimary) {
  for (const auto attrs : {TargetSessionAttrs::primary, TargetSessionAttrs::read_write}) {
    ScriptedServer first({standby});
    ScriptedServer second({primary});
    auto target = first.target();
    target.target_session_attrs = attrs;
    target.hosts.push_back(second.host());
    EXPECT_EQ(open(target, Purpose::replication), opened(second));
  }
}

TEST(Open, LooksForAStandby) {
  for (const auto attrs : {TargetSessionAttrs::standby, TargetSessionAttrs::read_only}) {
    ScriptedServer first({primary});
    ScriptedServer second({standby});
    auto target = first.target();
    target.target_session_attrs = attrs;
    target.hosts.push_back(second.host());
    EXPECT_EQ(open(target), opened(second));
  }
}

TEST(Open, TakesThePrimaryWhereAStandbyIsOnlyPreferred) {
  ScriptedServer first({primary, primary});
  auto target = first.target();
  target.target_session_attrs = TargetSessionAttrs::prefer_standby;
  EXPECT_EQ(open(target), opened(first));
}

TEST(Open, AsksAServerThatReportsNothing) {
  ScriptedServer server({[](Peer& peer) {
    peer.read_untyped();
    peer.send(test::message('R', test::big_endian(0)) + test::ready_for_query());
    EXPECT_EQ(peer.read_message(), "QSHOW transaction_read_only\0"s);
    peer.send(test::one_row("transaction_read_only", "on") + test::command_complete("SHOW") +
              test::ready_for_query());
  }});
  auto target = server.target();
  target.target_session_attrs = TargetSessionAttrs::read_write;
  EXPECT_THAT(open(target), HasSubstr("session is read-only"));
}

}  // namespace
}  // namespace pgcourier::replication
