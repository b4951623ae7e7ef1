// What comes of its own accord, cancel and the end, §55.2.7 to §55.2.9, against each major.
#include <gmock/gmock.h>

#include <future>

#include "tests/replication/live_major.hpp"
#include "tests/replication/live_sleep.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using protocol::BindParameter;
using protocol::FormatCode;
using protocol::Requests;
using test::Seen;
using test::Session;
using testing::ElementsAre;
using testing::IsEmpty;

class LiveAsynchronous : public test::LiveMajor {};
INSTANTIATE_TEST_SUITE_P(Each, LiveAsynchronous, LiveAsynchronous::each(), LiveAsynchronous::name);

TEST_P(LiveAsynchronous, TakesNoticesParametersAndNotificationsInAnyFlow) {
  all("LISTEN here; SET client_min_messages = notice");
  Requests requests;
  for (const auto* sql : {"SELECT 1", "NOTIFY here, 'own'", "SET application_name = 'changed'",
                          "DO $$ BEGIN RAISE NOTICE 'look'; END $$"}) {
    requests.parse("", sql).bind("", "", {}).execute("").sync();
  }
  EXPECT_EQ(seen(requests).replies, "12DCZ12CZ12CZ12CZ");
  const auto own = connection().take_notifications();
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own[0].process_id, connection().server().process_id);
  EXPECT_EQ(own[0].channel, "here");
  EXPECT_EQ(own[0].payload, "own");
  EXPECT_EQ(connection().server().parameters.at("application_name"), "changed");
  EXPECT_EQ(connection().take_notices().back().message, "look");

  Session other(target());
  other.query("NOTIFY here, 'another'");
  test::run(session_->io, connection().wait_notification());
  EXPECT_EQ(connection().take_notifications().at(0).payload, "another");
  EXPECT_THAT(connection().take_notifications(), IsEmpty());
}

TEST_P(LiveAsynchronous, CancelsWithTheTlsOfTheSession) {
  for (const auto mode : {SslMode::disable, SslMode::require, SslMode::verify_full}) {
    auto target = this->target();
    target.ssl_mode = mode;
    if (mode == SslMode::verify_full) {
      target.hosts[0].name = "localhost";
      target.hosts[0].address = "127.0.0.1";
      target.ssl_root_cert = test::certificate("root.crt");
    }
    Session session(target);
    Requests requests;
    requests.query("SELECT pg_sleep(60)");
    Seen seen;
    std::future<void> cancelled;
    test::run_with(session.io, exchange(session.connection, requests, seen), [&] {
      test::wait_asleep(*session_, session.connection.server().process_id);
      cancelled = asio::co_spawn(session.io, session.connection.cancel(), asio::use_future);
    });
    cancelled.get();
    EXPECT_EQ(seen.replies, "TEZ");
    EXPECT_THAT(seen.errors, ElementsAre("57014"));
    EXPECT_EQ(session.value("SELECT 1"), "1");
  }
}

TEST_P(LiveAsynchronous, CancelsNothingWhenNothingIsUnderWay) {
  test::run(session_->io, connection().cancel());
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_P(LiveAsynchronous, TellsThatItsProcessWasTerminatedInEachFlow) {
  const std::vector<BindParameter> sleep = {{.value = "60", .format = FormatCode::text}};
  Requests simple;
  simple.query("SELECT pg_sleep(60)");
  Requests extended;
  extended.parse("", "SELECT pg_sleep(60)").bind("", "", {}).execute("").sync();
  Requests pipelined;
  pipelined.parse("", "SELECT 1; ").bind("", "", {}).execute("").bind("", "", {}).execute("");
  pipelined.parse("", "SELECT pg_sleep(60)").bind("", "", {}).execute("").sync();
  Requests function;
  function.function_call(2626, sleep, FormatCode::text);  // pg_sleep
  Requests copy;
  copy.query("COPY (SELECT pg_sleep(60)) TO STDOUT");
  for (const auto* requests : {&simple, &extended, &pipelined, &function, &copy}) {
    Session session(target());
    const std::string command = "SELECT pg_terminate_backend(" +
                                std::to_string(session.connection.server().process_id) + ")";
    Seen seen;
    try {
      test::run_with(session.io, exchange(session.connection, *requests, seen), [&] {
        test::wait_asleep(*session_, session.connection.server().process_id);
        session_->query(command);
      });
      ADD_FAILURE() << seen.replies;
    } catch (const protocol::ServerError& error) {
      EXPECT_EQ(error.sqlstate(), "57P01");
    }
    EXPECT_THROW(session.query("SELECT 1"), ConnectionError);
  }
}

TEST_P(LiveAsynchronous, TellsThatItsProcessWasTerminatedWhileItWaitedForNotifications) {
  Session other(target());
  all("LISTEN here");
  other.query("SELECT pg_terminate_backend(" + std::to_string(connection().server().process_id) +
              ")");
  EXPECT_THROW(test::run(session_->io, connection().wait_notification()), protocol::ServerError);
}

}  // namespace
}  // namespace pgcourier::replication
