// Transactions that are prepared, told as they are by a server of each major that has two_phase,
// §55.5 and §55.9: small and streamed, committed and rolled back, before and after a reconnection.
#include <gmock/gmock.h>

#include <vector>

#include "protocol/pgoutput_decoder.hpp"
#include "protocol/replication_messages.hpp"
#include "replication/replication_commands.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication {
namespace {

using protocol::Lsn;
using test::Session;
using testing::ElementsAre;

// A line a message, with what matters here.
struct Told {
  std::vector<std::string> lines;
  Lsn confirmed;  // the end of the last transaction, or part of one, that is whole

  void operator()(const protocol::BeginPrepare& begin) { say("begin prepare", begin.gid); }
  void operator()(const protocol::Prepare& prepare) {
    say("prepare", prepare.gid);
    confirmed = prepare.end_lsn;
  }
  void operator()(const protocol::CommitPrepared& commit) {
    say("commit prepared", commit.gid);
    confirmed = commit.end_lsn;
  }
  void operator()(const protocol::RollbackPrepared& rollback) {
    say("rollback prepared", rollback.gid);
    confirmed = rollback.rollback_end_lsn;
  }
  void operator()(const protocol::StreamPrepare& prepare) {
    say("stream prepare", prepare.gid);
    confirmed = prepare.end_lsn;
  }
  void operator()(const protocol::StreamStart&) { say("piece", ""); }
  void operator()(const protocol::Insert& insert) { say("insert", insert.new_row.front().bytes); }
  void operator()(const protocol::Begin&) { say("begin", ""); }
  void operator()(const protocol::Commit& commit) {
    say("commit", "");
    confirmed = commit.end_lsn;
  }
  template <typename Other>
  void operator()(const Other&) {}

  void say(std::string_view what, std::string_view name) {
    lines.push_back(std::string(what) + (name.empty() ? "" : " ") + std::string(name));
  }
};

asio::awaitable<void> read_until(Connection& connection, protocol::PgoutputDecoder& decoder,
                                 Told& told, const std::string& last) {
  while (told.lines.empty() || told.lines.back() != last) {
    co_await connection.read_some();
    while (const auto data = connection.next_copy_data()) {
      if (data->front() == protocol::primary_keepalive_type) continue;
      const auto message = decoder.decode(protocol::read_xlog_data(*data).payload);
      std::visit([&](const auto& one) { told(one); }, message);
    }
  }
}

// Confirms all, and ends the stream with the server.
asio::awaitable<void> confirm_and_end(Connection& connection, Lsn confirmed) {
  protocol::StandbyStatusUpdate update;
  update.write = update.flush = update.apply = confirmed;
  connection.send_copy_data(protocol::standby_status_update(update));
  connection.send_copy_done();
  while (!connection.server_ended_copy()) {
    co_await connection.read_some();
    while (connection.next_copy_data()) continue;
  }
}

class Stream {
 public:
  explicit Stream(const config::ConnectionTarget& target) : session_(target, Purpose::replication) {
    session_.query("SET logical_decoding_work_mem = '64kB'");
    protocol::StartLogicalReplication options;
    options.slot = "prepared";
    options.publications = {"prepared"};
    options.proto_version = 3;
    options.streaming = "on";
    options.two_phase = true;
    test::run(session_.io,
              session_.connection.start_copy_both(protocol::start_replication(options)));
  }

  // Since the last call.
  std::vector<std::string> until(const std::string& last) {
    told_.lines.clear();
    test::run(session_.io, read_until(session_.connection, decoder_, told_, last));
    return told_.lines;
  }
  void confirm_and_end() {
    test::run(session_.io, replication::confirm_and_end(session_.connection, told_.confirmed));
  }

 private:
  Session session_;
  protocol::PgoutputDecoder decoder_{{.streaming = protocol::Streaming::on, .two_phase = true}};
  Told told_;
};

class LiveTwoPhase : public test::LiveTest {
 protected:
  static void set_up(Session& sql, const config::ConnectionTarget& target) {
    sql.query("CREATE TABLE public.prepared (id int PRIMARY KEY)");
    sql.query("CREATE TABLE public.filler (text text)");
    sql.query("CREATE PUBLICATION prepared FOR TABLE public.prepared");
    Session walsender(target, Purpose::replication);
    protocol::CreateLogicalSlot slot;
    slot.slot = "prepared";
    slot.two_phase = true;
    test::run(walsender.io, create_replication_slot(walsender.connection, slot));
  }
  // A walsender gives its slot back a moment after the stream has ended.
  static void wait_free(Session& sql) {
    while (sql.value("SELECT count(*) FROM pg_replication_slots WHERE active") != "0") continue;
  }
  static void clean_up(Session& sql) {
    sql.query("SELECT pg_drop_replication_slot('prepared')");
    sql.query("DROP PUBLICATION prepared");
    sql.query("DROP TABLE public.prepared, public.filler");
  }
  static void prepare(Session& sql, int id, const std::string& gid, bool large = false) {
    sql.query("BEGIN; INSERT INTO public.prepared VALUES (" + std::to_string(id) + ")");
    if (large) {
      sql.query("INSERT INTO public.filler SELECT repeat('x', 1000) FROM generate_series(1, 200)");
    }
    sql.query("PREPARE TRANSACTION '" + gid + "'");
  }
};

TEST_F(LiveTwoPhase, IsToldAtPrepareAndAtTheDecision) {
  for (const int major : {15, 16, 17, 18}) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    set_up(sql, target_of(major));
    {
      Stream stream(target_of(major));
      prepare(sql, 1, "kept");
      EXPECT_THAT(stream.until("prepare kept"),
                  ElementsAre("begin prepare kept", "insert 1", "prepare kept"));
      sql.query("COMMIT PREPARED 'kept'");
      EXPECT_THAT(stream.until("commit prepared kept"), ElementsAre("commit prepared kept"));
      prepare(sql, 2, "lost");
      EXPECT_THAT(stream.until("prepare lost"),
                  ElementsAre("begin prepare lost", "insert 2", "prepare lost"));
      sql.query("ROLLBACK PREPARED 'lost'");
      EXPECT_THAT(stream.until("rollback prepared lost"), ElementsAre("rollback prepared lost"));
      prepare(sql, 3, "large", true);
      const auto streamed = stream.until("stream prepare large");
      EXPECT_THAT(streamed, testing::Contains("insert 3"));
      EXPECT_EQ(streamed.front(), "piece");
      sql.query("COMMIT PREPARED 'large'");
      EXPECT_THAT(stream.until("commit prepared large"), ElementsAre("commit prepared large"));
    }
    sql.query("SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots");
    clean_up(sql);
  }
}

// What was confirmed at PREPARE is not told again, not even by its COMMIT PREPARED.
TEST_F(LiveTwoPhase, GoesOnBetweenPrepareAndTheDecision) {
  for (const int major : {15, 16, 17, 18}) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    set_up(sql, target_of(major));
    {
      Stream first(target_of(major));
      prepare(sql, 1, "early");
      prepare(sql, 2, "late");
      EXPECT_THAT(first.until("prepare late"),
                  ElementsAre("begin prepare early", "insert 1", "prepare early",
                              "begin prepare late", "insert 2", "prepare late"));
      first.confirm_and_end();
    }
    wait_free(sql);
    sql.query("COMMIT PREPARED 'late'");
    sql.query("ROLLBACK PREPARED 'early'");
    sql.query("INSERT INTO public.prepared VALUES (3)");
    {
      Stream second(target_of(major));
      EXPECT_THAT(second.until("commit"),
                  ElementsAre("commit prepared late", "rollback prepared early", "begin",
                              "insert 3", "commit"));
      second.confirm_and_end();
    }
    wait_free(sql);
    EXPECT_EQ(sql.value("SELECT two_phase FROM pg_replication_slots WHERE slot_name = 'prepared'"),
              "t");
    clean_up(sql);
  }
}

}  // namespace
}  // namespace pgcourier::replication
