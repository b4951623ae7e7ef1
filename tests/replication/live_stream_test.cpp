// Logical streaming in copy-both mode, §55.4.
#include <gmock/gmock.h>

#include "protocol/replication_commands.hpp"
#include "protocol/replication_messages.hpp"
#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using test::Session;
using testing::HasSubstr;

// Reads until `count` rows were inserted, or the server ended; confirms all and asks for an answer
// at each read.
asio::awaitable<void> count_inserts(Connection& connection, int& inserts, int count) {
  protocol::Lsn received;
  while (inserts < count && !connection.server_ended_copy()) {
    co_await connection.read_some();
    while (const auto data = connection.next_copy_data()) {
      if (data->front() == protocol::primary_keepalive_type) {
        received = std::max(received, protocol::read_primary_keepalive(*data).end);
        continue;
      }
      const auto message = protocol::read_xlog_data(*data);
      if (message.payload.front() == 'I') ++inserts;
    }
    protocol::StandbyStatusUpdate update;
    update.write = received;
    connection.send_copy_data(protocol::standby_status_update(update));
  }
}

class LiveStream : public test::OnEachMajor {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    if (IsSkipped()) return;
    sql_.emplace(target());
    sql_->query("CREATE TABLE public.streamed (id int PRIMARY KEY, text text)");
    sql_->query("CREATE PUBLICATION streamed FOR TABLE public.streamed");
    sql_->query("SELECT pg_create_logical_replication_slot('streamed', 'pgoutput')");
  }
  void TearDown() override {
    if (IsSkipped()) return;
    Session cleaner(target());
    cleaner.query(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots "
        "WHERE active_pid IS NOT NULL");
    cleaner.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    cleaner.query("DROP PUBLICATION IF EXISTS streamed");
    cleaner.query("DROP TABLE IF EXISTS public.streamed");
  }

  static std::string start() {
    protocol::StartLogicalReplication options;
    options.slot = "streamed";
    options.publications = {"streamed"};
    return protocol::start_replication(options);
  }
  void insert(int from, int to) {
    sql_->query("INSERT INTO public.streamed SELECT i, repeat('x', 100) FROM generate_series(" +
                std::to_string(from) + ", " + std::to_string(to) + ") i");
  }
  std::optional<Session> sql_;
};
INSTANTIATE_TEST_SUITE_P(Each, LiveStream, LiveStream::each(), LiveStream::name);

TEST_P(LiveStream, StreamsInClearAndWithTls) {
  insert(1, 20'000);
  for (const auto mode : {SslMode::disable, SslMode::require}) {
    auto target = this->target();
    target.ssl_mode = mode;
    Session stream(target, Purpose::replication);
    test::run(stream.io, stream.connection.start_copy_both(start()));
    int inserts = 0;
    test::run(stream.io, count_inserts(stream.connection, inserts, 20'000));
    EXPECT_EQ(inserts, 20'000);

    stream.connection.send_copy_done();
    test::run(stream.io, count_inserts(stream.connection, inserts, 1'000'000));
    EXPECT_TRUE(stream.connection.server_ended_copy());
    EXPECT_EQ(stream.value("SELECT 1"), "1");
  }
}

TEST_P(LiveStream, TakesAChangeLargerThanItsBuffer) {
  sql_->query("INSERT INTO public.streamed SELECT 1, repeat('x', 30000000)");
  insert(2, 3);
  Session stream(target(), Purpose::replication);
  test::run(stream.io, stream.connection.start_copy_both(start()));
  int inserts = 0;
  test::run(stream.io, count_inserts(stream.connection, inserts, 3));
  EXPECT_EQ(inserts, 3);
}

TEST_P(LiveStream, IsToldThatTheSlotIsTaken) {
  Session first(target(), Purpose::replication);
  test::run(first.io, first.connection.start_copy_both(start()));
  Session second(target(), Purpose::replication);
  try {
    test::run(second.io, second.connection.start_copy_both(start()));
    FAIL();
  } catch (const protocol::ServerError& error) {
    EXPECT_EQ(error.sqlstate(), "55006");
  }
  EXPECT_EQ(second.value("SELECT 1"), "1");
}

// 14 to 17 end with an error; 18 warns and leaves out what was changed meanwhile.
TEST_P(LiveStream, IsToldThatThePublicationWasMissing) {
  sql_->query("DROP PUBLICATION streamed");
  insert(1, 1);
  sql_->query("CREATE PUBLICATION streamed FOR TABLE public.streamed");
  insert(2, 2);
  Session stream(target(), Purpose::replication);
  test::run(stream.io, stream.connection.start_copy_both(start()));
  int inserts = 0;
  if (major() < 18) {
    EXPECT_THROW(test::run(stream.io, count_inserts(stream.connection, inserts, 1)),
                 protocol::ServerError);
    EXPECT_EQ(stream.value("SELECT 1"), "1");
    return;
  }
  test::run(stream.io, count_inserts(stream.connection, inserts, 1));
  const auto notices = stream.connection.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].sqlstate, "55000");
  EXPECT_THAT(notices[0].message, HasSubstr("\"streamed\""));
}

TEST_P(LiveStream, EndsWhenItsProcessIsTerminated) {
  Session stream(target(), Purpose::replication);
  test::run(stream.io, stream.connection.start_copy_both(start()));
  sql_->query("SELECT pg_terminate_backend(" +
              std::to_string(stream.connection.server().process_id) + ")");
  int inserts = 0;
  EXPECT_THROW(test::run(stream.io, count_inserts(stream.connection, inserts, 1)),
               protocol::ServerError);
}

TEST_P(LiveStream, EndsWhenTheServerRestartsAndOpensAgain) {
  insert(1, 10);
  Session stream(target(), Purpose::replication);
  test::run(stream.io, stream.connection.start_copy_both(start()));
  int inserts = 0;
  test::run(stream.io, count_inserts(stream.connection, inserts, 10));
  stream.connection.close();
  ASSERT_EQ(std::system(test::environment("PGCOURIER_TEST_RESTART", major()).c_str()), 0);

  EXPECT_THROW(sql_->query("SELECT 1"), std::runtime_error);
  sql_.emplace(target());
  Session again(target(), Purpose::replication);
  test::run(again.io, again.connection.start_copy_both(start()));
  inserts = 0;
  test::run(again.io, count_inserts(again.connection, inserts, 10));
  EXPECT_EQ(inserts, 10);
}

}  // namespace
}  // namespace pgcourier::replication
