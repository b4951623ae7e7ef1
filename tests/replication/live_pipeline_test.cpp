// Pipelines, §55.2.4, and results larger than memory, against each major.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using protocol::BindParameter;
using protocol::FormatCode;
using protocol::Reply;
using protocol::Requests;
using test::Session;

class LivePipeline : public test::LiveMajor {};
INSTANTIATE_TEST_SUITE_P(Each, LivePipeline, LivePipeline::each(), LivePipeline::name);

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * 4096;
}

asio::awaitable<void> count_rows(Connection& connection, std::size_t& bytes) {
  Requests requests;
  requests.parse("", "SELECT i, repeat('x', 10000) FROM generate_series(1, 15000) i");
  requests.bind("", "", {}).execute("").sync();
  connection.send(requests);
  while (!connection.dialogue().idle()) {
    const Reply reply = co_await connection.next_reply();
    const auto* row = std::get_if<protocol::DataRow>(&reply);
    if (row != nullptr) bytes += row->values[1]->size();
  }
}

TEST_P(LivePipeline, ReadsALargeResultRowByRowWithoutHoldingIt) {
  const std::size_t before = resident_bytes();
  std::size_t bytes = 0;
  test::run(session_->io, count_rows(connection(), bytes));
  EXPECT_EQ(bytes, 150'000'000U);
  EXPECT_LT(resident_bytes(), before + 50'000'000U);
}

// Of all our connections to the server.
void shrink_socket_buffers(std::uint16_t port) {
  for (int socket = 3; socket < 256; ++socket) {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
    constexpr int bytes = 65536;
    ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
    ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
  }
}

struct Echoes {
  int count = 300;
  bool sync_each = false;
  std::size_t most_unsent = 1024 * 1024;
  int wrong = -1;  // this one fails

  int sent = 0;
  int rows = 0;
  std::string order;  // E and Z
  std::size_t unsent_seen = 0;
};

void send_echo(Connection& connection, Echoes& echoes) {
  const int number = echoes.sent++;
  std::string text = std::to_string(number) + ":";
  text.resize(100'000, 'x');
  const std::vector<BindParameter> values = {{.value = text, .format = FormatCode::text}};
  Requests requests;
  requests.parse("", number == echoes.wrong ? "SELECT $1::int" : "SELECT $1::text");
  requests.bind("", "", values).execute("");
  if (echoes.sync_each || echoes.sent == echoes.count) requests.sync();
  connection.send(requests);
  echoes.unsent_seen = std::max(echoes.unsent_seen, connection.unsent_bytes());
}

asio::awaitable<void> pipeline(Connection& connection, Echoes& echoes) {
  while (echoes.sent < echoes.count || !connection.dialogue().idle()) {
    while (echoes.sent < echoes.count && connection.unsent_bytes() < echoes.most_unsent) {
      send_echo(connection, echoes);
    }
    std::optional<Reply> reply;
    if (echoes.sent < echoes.count) {
      reply = co_await connection.next_reply_or_sent(echoes.most_unsent / 2);
    } else {
      reply = co_await connection.next_reply();
    }
    if (!reply) continue;
    if (const auto* row = std::get_if<protocol::DataRow>(&*reply)) {
      const std::string start = std::to_string(echoes.rows) + ":";
      if (row->values[0]->starts_with(start) && row->values[0]->size() == 100'000) ++echoes.rows;
    } else if (std::holds_alternative<protocol::ErrorResponse>(*reply)) {
      echoes.order += 'E';
    } else if (std::holds_alternative<protocol::ReadyForQuery>(*reply)) {
      echoes.order += 'Z';
    }
  }
}

TEST_P(LivePipeline, PipelinesWithBothDirectionsFull) {
  for (const auto mode : {SslMode::disable, SslMode::require}) {
    auto target = this->target();
    target.ssl_mode = mode;
    Session session(target);
    shrink_socket_buffers(target.hosts[0].port);
    Echoes echoes;
    test::run(session.io, pipeline(session.connection, echoes));
    EXPECT_EQ(echoes.rows, 300);
    EXPECT_LT(echoes.unsent_seen, 1'300'000U);
    EXPECT_EQ(session.value("SELECT 1"), "1");
  }
}

TEST_P(LivePipeline, PipelinesWhatIsHandedOverAtOnce) {
  shrink_socket_buffers(target().hosts[0].port);
  Echoes echoes;
  echoes.count = 600;
  echoes.most_unsent = 200'000'000;
  test::run(session_->io, pipeline(connection(), echoes));
  EXPECT_EQ(echoes.rows, 600);
  EXPECT_GT(echoes.unsent_seen, 30'000'000U);
}

TEST_P(LivePipeline, PipelinesWithASyncEach) {
  Echoes echoes;
  echoes.count = 100;
  echoes.sync_each = true;
  echoes.wrong = 99;
  test::run(session_->io, pipeline(connection(), echoes));
  EXPECT_EQ(echoes.rows, 99);
  EXPECT_EQ(echoes.order.substr(0, 99), std::string(99, 'Z'));
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_P(LivePipeline, PipelinesUpToTheError) {
  Echoes echoes;
  echoes.count = 300;
  echoes.wrong = 100;
  test::run(session_->io, pipeline(connection(), echoes));
  EXPECT_EQ(echoes.rows, 100);
  EXPECT_EQ(echoes.order.front(), 'E');
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

}  // namespace
}  // namespace pgcourier::replication
