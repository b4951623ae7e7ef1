// What may come of a cancel request in clear; hostile_encrypted_dialogues.cpp has the one under
// TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using test::Peer;
using test::ScriptedServer;
using testing::HasSubstr;

std::string cancelled_by(const ScriptedServer::Script& script) {
  ScriptedServer server({[](Peer& peer) { peer.accept_session(); }, script});
  auto target = server.target();
  target.connect_timeout = 200ms;
  asio::io_context io;
  Connection connection(io, 1024 * 1024);
  test::run(io, connection.open(target, Purpose::sql, {}));
  const auto begin = std::chrono::steady_clock::now();
  std::string error;
  try {
    test::run(io, connection.cancel());
  } catch (const ConnectionError& failure) {
    error = failure.what();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s) << error;
  return error;
}

// After a reset nobody knows whether the request was taken: libpq's PQcancel() says yes, its
// PQcancelBlocking() no.
TEST(HostileCancel, EndsAtTheServersEnd) {
  EXPECT_EQ(cancelled_by([](Peer& peer) { peer.read_untyped(); }), "");
  EXPECT_THAT(cancelled_by([](Peer& peer) {
                peer.read_untyped();
                peer.reset_at_close();
              }),
              testing::AnyOf("", HasSubstr("reset")));
}

TEST(HostileCancel, TakesNoOtherAnswer) {
  for (const std::string& answer : {"x"s, test::error_response("FATAL", "57P01"), test::welcome(),
                                    "\0"s, std::string(1024 * 1024, 'x')}) {
    EXPECT_THAT(cancelled_by([&](Peer& peer) {
                  peer.read_untyped();
                  peer.send(answer);
                }),
                HasSubstr("answered"))
        << answer.substr(0, 1);
  }
}

TEST(HostileCancel, WaitsNoLongerThanConnectTimeout) {
  EXPECT_THAT(cancelled_by([](Peer& peer) { peer.wait_end(5s); }), HasSubstr("200 ms"));
}

}  // namespace
}  // namespace pgcourier::replication
