// Addresses, authentication and queries against a real server.
#include <gmock/gmock.h>

#include "protocol/authentication_error.hpp"
#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using config::TargetSessionAttrs;
using test::Session;
using testing::ElementsAre;
using testing::HasSubstr;

class LiveConnection : public test::OnEachMajor {};
INSTANTIATE_TEST_SUITE_P(Each, LiveConnection, LiveConnection::each(), LiveConnection::name);

constexpr std::string_view who = "SELECT current_user";

std::string refusal(const config::ConnectionTarget& target) {
  try {
    Session session(target);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

TEST_P(LiveConnection, OpensOverIpv4Ipv6AndUnixSockets) {
  const std::string sockets = test::environment("PGCOURIER_TEST_SOCKETS");
  const std::string abstract = "@pgcourier-" + std::to_string(host().port);
  for (const auto& name : {std::string("127.0.0.1"), std::string("::1"), std::string("localhost"),
                           sockets, abstract}) {
    auto target = this->target();
    target.hosts = {host(name)};
    EXPECT_EQ(Session(target).value(who), "postgres") << name;
  }
}

TEST_P(LiveConnection, UsesTheAddressBesideTheName) {
  auto target = this->target();
  target.hosts[0].name = "nowhere.invalid";
  target.hosts[0].address = "127.0.0.1";
  EXPECT_EQ(Session(target).value(who), "postgres");
}

TEST_P(LiveConnection, AuthenticatesByEachMethod) {
  for (const auto mode : {SslMode::disable, SslMode::require}) {
    for (const std::string user : {"trust_user", "password_user", "md5_user", "scram_user"}) {
      auto target = this->target(user);
      target.ssl_mode = mode;
      target.hosts[0].password = "pencil";
      EXPECT_EQ(Session(target).value(who), user);
    }
  }
}

TEST_P(LiveConnection, IsRefusedWithAWrongPassword) {
  for (const std::string user : {"password_user", "md5_user", "scram_user"}) {
    auto target = this->target(user);
    target.hosts[0].password = "pen";
    EXPECT_THROW(Session{target}, protocol::ServerError) << user;
    target.hosts[0].password = "";
    EXPECT_THROW(Session{target}, protocol::AuthenticationError) << user;
  }
}

TEST_P(LiveConnection, BindsScramToTheChannel) {
  auto target = this->target("scram_user");
  target.hosts[0].password = "pencil";
  target.channel_binding = "require";
  EXPECT_THROW(Session{target}, protocol::AuthenticationError);
  target.ssl_mode = SslMode::require;
  EXPECT_EQ(Session(target).value(who), "scram_user");
}

TEST_P(LiveConnection, TellsWhyTheServerRefuses) {
  EXPECT_THAT(refusal(target("nobody")), HasSubstr("28000"));
  auto target = this->target();
  target.database = "nothing";
  EXPECT_THAT(refusal(target), HasSubstr("3D000"));
  target.hosts = {host("nowhere.invalid")};
  EXPECT_THAT(refusal(target), HasSubstr("nowhere.invalid"));
}

TEST_P(LiveConnection, FindsTheServerWithTheWantedAttributes) {
  using enum TargetSessionAttrs;
  for (const auto purpose : {Purpose::sql, Purpose::replication}) {
    for (const auto wanted :
         {primary, read_write, config::TargetSessionAttrs::standby, read_only, prefer_standby}) {
      auto target = this->target();
      config::Host closed = host();
      closed.port = 1;
      target.hosts = {closed, host(), standby_of(major())};
      target.target_session_attrs = wanted;
      const bool is_primary = wanted == primary || wanted == read_write;
      EXPECT_EQ(Session(target, purpose).value("SELECT pg_is_in_recovery()"),
                is_primary ? "f" : "t");
    }
  }
  auto target = this->target();
  target.target_session_attrs = TargetSessionAttrs::standby;
  EXPECT_THAT(refusal(target), HasSubstr("server is not a standby"));
}

TEST_P(LiveConnection, HasThePinnedSettingsInBothPurposes) {
  for (const auto purpose : {Purpose::sql, Purpose::replication}) {
    Session session(target(), purpose);
    for (const auto& [name, value] : session_settings()) {
      const std::string shown = session.value("SHOW " + name);
      EXPECT_THAT(shown, testing::StartsWith(value)) << name;
    }
    EXPECT_EQ(session.value("SHOW application_name"), "live tests");
    EXPECT_EQ(session.connection.server_version() / 10000, major());
  }
}

TEST_P(LiveConnection, RunsStatementsWithParameters) {
  Session session(target());
  const std::vector<std::optional<std::string>> parameters{"7", std::nullopt, "it's"};
  const QueryResult result = test::run(
      session.io, session.connection.query("SELECT $1::int + 1 AS a, $2::text AS b, $3::text AS c",
                                           parameters));
  EXPECT_THAT(result.columns, ElementsAre("a", "b", "c"));
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_THAT(result.rows[0], ElementsAre("8", std::nullopt, "it's"));
  EXPECT_EQ(result.command_tag, "SELECT 1");
}

TEST_P(LiveConnection, GoesOnAfterAnError) {
  Session session(target());
  EXPECT_THROW(session.query("SELECT 1; SELECT 1/0; SELECT 2"), protocol::ServerError);
  const std::vector<std::optional<std::string>> parameters{"x"};
  EXPECT_THROW(test::run(session.io, session.connection.query("SELECT $1::int", parameters)),
               protocol::ServerError);
  EXPECT_EQ(session.value("SELECT 1; SELECT 2"), "2");
  EXPECT_EQ(session.query("").rows.size(), 0U);
}

TEST_P(LiveConnection, TakesARowOfTwentyMegabytes) {
  for (const auto mode : {SslMode::disable, SslMode::require}) {
    auto target = this->target();
    target.ssl_mode = mode;
    Session session(target);
    const std::string value = session.value("SELECT repeat('0123456789', 2000000)");
    EXPECT_EQ(value.size(), 20'000'000U);
    EXPECT_EQ(value.substr(value.size() - 3), "789");
    EXPECT_EQ(session.value("SELECT 1"), "1");
  }
}

TEST_P(LiveConnection, SendsALongQueryWhileALongResultComes) {
  Session session(target());
  std::string sql;
  for (int i = 0; i < 200; ++i) {
    sql += "SELECT repeat('x', 100000) || '" + std::string(50'000, 'y') + "';";
  }
  EXPECT_EQ(session.value(sql).size(), 150'000U);
}

TEST_P(LiveConnection, KeepsNotices) {
  Session session(target());
  session.query("DO $$ BEGIN RAISE NOTICE 'look'; END $$");
  const auto notices = session.connection.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].message, "look");
}

TEST_P(LiveConnection, KeepsTheNoticesOfStartUp) {
  Session admin(target());
  admin.query("CREATE DATABASE notices");
  admin.query("ALTER DATABASE notices SET default_text_search_config = 'nothing'");
  auto target = this->target();
  target.database = "notices";
  for (const auto purpose : {Purpose::sql, Purpose::replication}) {
    Session session(target, purpose);
    const auto notices = session.connection.take_notices();
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_EQ(notices[0].severity_unlocalized, "WARNING");
    EXPECT_THAT(notices[0].message, testing::HasSubstr("default_text_search_config"));
  }
  admin.query("DROP DATABASE notices WITH (FORCE)");
}

TEST_P(LiveConnection, LeavesNothingBehindAfterTerminate) {
  Session watcher(target());
  std::string pid;
  {
    Session session(target());
    pid = session.value("SELECT pg_backend_pid()");
    test::run(session.io, session.connection.terminate());
  }
  for (int i = 0; i < 100; ++i) {
    if (watcher.value("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == "0") return;
    watcher.query("SELECT pg_sleep(0.05)");
  }
  FAIL() << "the session is still there";
}

}  // namespace
}  // namespace pgcourier::replication
