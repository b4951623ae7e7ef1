// GSSAPI with a real KDC: authentication, encryption, and what happens without it, §55.2.11.
#include <gmock/gmock.h>
#include <libpq-fe.h>

#include <chrono>
#include <memory>

#include "protocol/authentication_error.hpp"
#include "protocol/replication_commands.hpp"
#include "protocol/replication_messages.hpp"
#include "tests/replication/live_gss_support.hpp"

namespace pgcourier::replication {
namespace {

using config::GssEncMode;
using config::SslMode;
using test::Session;
using testing::HasSubstr;

// "authenticated encrypted TLS", as t and f.
constexpr const char* state_query =
    "SELECT concat_ws(' ', g.gss_authenticated, g.encrypted, s.ssl) "
    "FROM pg_stat_gssapi g JOIN pg_stat_ssl s USING (pid) WHERE pid = pg_backend_pid()";
constexpr const char* without_gss = "f f f";
constexpr const char* authenticated = "t f f";
constexpr const char* encrypted = "t t f";

class LiveGss : public test::LiveRealmTest {
 protected:
  static std::string state(const config::ConnectionTarget& target) {
    Session session(target);
    return session.value(state_query);
  }
  // What ConnectionError says, which time may heal.
  static std::string unreachable(const config::ConnectionTarget& target) {
    try {
      return "opened " + state(target);
    } catch (const ConnectionError& error) {
      return error.what();
    }
  }
};

TEST_F(LiveGss, AuthenticatesByATicket) {
  auto target = gss_target(GssEncMode::disable);
  EXPECT_EQ(state(target), authenticated);
  target.ssl_mode = SslMode::require;
  EXPECT_EQ(state(target), "t f t");
  target.gss_delegation = true;
  EXPECT_EQ(state(target), "t f t");
}

TEST_F(LiveGss, EncryptsInBothPurposes) {
  for (const auto mode : {GssEncMode::prefer, GssEncMode::require}) {
    for (const auto purpose : {Purpose::sql, Purpose::replication}) {
      Session session(gss_target(mode), purpose);
      EXPECT_EQ(session.value(state_query), encrypted);
      EXPECT_EQ(session.connection.encryption(), Encryption::gss);
    }
  }
}

TEST_F(LiveGss, TakesItsTicketsFromAClientKeytab) {
  use_tickets("made_of_keytab.ccache");
  ::setenv("KRB5_CLIENT_KTNAME", file("gss_user.keytab").c_str(), 1);
  EXPECT_EQ(state(gss_target(GssEncMode::require)), encrypted);
  EXPECT_EQ(state(gss_target(GssEncMode::disable)), authenticated);
}

// libpq's words for the same, from connection strings.
struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};

std::string libpq_state(const std::string& text) {
  const std::unique_ptr<PGconn, FinishConnection> connection(PQconnectdb(text.c_str()));
  if (PQstatus(connection.get()) != CONNECTION_OK) return "refused";
  const std::unique_ptr<PGresult, FinishConnection> result(PQexec(connection.get(), state_query));
  return PQgetvalue(result.get(), 0, 0);
}

std::string our_state(const std::string& text) {
  std::vector<std::string> warnings;
  const auto target = config::resolve_connection(config::parse_connection_string(text), {},
                                                 config::process_surroundings(), warnings);
  try {
    Session session(target);
    return session.value(state_query);
  } catch (const std::exception&) {
    return "refused";
  }
}

TEST_F(LiveGss, EncryptsWhereLibpqDoes) {
  const std::string place = "host=localhost hostaddr=127.0.0.1 dbname=postgres port=" +
                            test::environment("PGCOURIER_TEST_PORT", debian);
  int compared = 0;
  for (const std::string tickets : {"gss_user", "none"}) {
    use_tickets(tickets + ".ccache");
    for (const std::string gss : {"disable", "prefer", "require"}) {
      for (const std::string ssl : {"disable", "allow", "prefer", "require"}) {
        for (const std::string user : {"trust_user", "gss_user", "tls_user", "plain_user"}) {
          const std::string text =
              place + " gssencmode=" + gss + " sslmode=" + ssl + " user=" + user;
          EXPECT_EQ(our_state(text), libpq_state(text)) << tickets << ": " << text;
          ++compared;
        }
      }
    }
  }
  EXPECT_EQ(compared, 96);
  for (const std::string user : {"gss_enc_user", "gss_plain_user"}) {
    use_tickets(user + ".ccache");
    for (const std::string gss : {"disable", "prefer", "require"}) {
      for (const std::string ssl : {"disable", "prefer"}) {
        const std::string text = place + " gssencmode=" + gss + " sslmode=" + ssl + " user=" + user;
        EXPECT_EQ(our_state(text), libpq_state(text)) << text;
      }
    }
  }
}

TEST_F(LiveGss, IsRefusedInTheServersWords) {
  use_tickets("gss_enc_user.ccache");
  EXPECT_THROW(state(gss_target(GssEncMode::disable, "gss_enc_user")), protocol::ServerError);
  EXPECT_EQ(state(gss_target(GssEncMode::prefer, "gss_enc_user")), encrypted);
  // The ticket of somebody else.
  for (const auto mode : {GssEncMode::disable, GssEncMode::prefer, GssEncMode::require}) {
    EXPECT_THROW(state(gss_target(mode)), protocol::ServerError);
  }
}

TEST_F(LiveGss, GoesOnWithTlsWhereTheServerHasNoGssapi) {
  for (const int major : {14, 17, 18}) {
    auto target = target_of(major);
    target.gss_enc_mode = GssEncMode::prefer;
    target.ssl_mode = SslMode::require;
    EXPECT_EQ(Session(target).connection.encryption(), Encryption::tls) << major;
    target.ssl_direct = major >= 17;
    EXPECT_EQ(Session(target).connection.encryption(), Encryption::tls) << major;
    target.gss_enc_mode = GssEncMode::require;
    EXPECT_THROW(Session{target}, protocol::GssEncryptionRefused);
  }
}

TEST_F(LiveGss, NeverEncryptsAUnixSocket) {
  auto target = gss_target(GssEncMode::prefer, "trust_user");
  target.hosts[0].name = test::environment("PGCOURIER_TEST_SOCKETS");
  target.hosts[0].address = "";
  EXPECT_EQ(state(target), without_gss);
  target.gss_enc_mode = GssEncMode::require;
  EXPECT_THROW(Session{target}, protocol::AuthenticationError);
}

TEST_F(LiveGss, HonoursRequireAuth) {
  for (const auto mode : {GssEncMode::disable, GssEncMode::require}) {
    auto target = gss_target(mode);
    target.require_auth = "gss";
    EXPECT_EQ(state(target), mode == GssEncMode::disable ? authenticated : encrypted);
    target.require_auth = mode == GssEncMode::disable ? "!gss" : "!gss,!none";
    EXPECT_THROW(Session{target}, protocol::AuthenticationError);
  }
  auto trusting = gss_target(GssEncMode::disable, "trust_user");
  trusting.require_auth = "gss";
  EXPECT_THROW(Session{trusting}, protocol::AuthenticationError);
}

TEST_F(LiveGss, CarriesOtherMethodsWithinTheEncryption) {
  for (const std::string user : {"password_user", "md5_user", "scram_user"}) {
    auto target = gss_target(GssEncMode::require, user);
    target.hosts[0].password = "pencil";
    EXPECT_EQ(state(target), "f t f") << user;
  }
}

TEST_F(LiveGss, TellsWhatIsWrongWithTheTicket) {
  use_tickets("none.ccache");
  EXPECT_THAT(unreachable(gss_target(GssEncMode::disable)), HasSubstr("No Kerberos credentials"));
  EXPECT_THAT(unreachable(gss_target(GssEncMode::require)),
              HasSubstr("gssencmode=require, but there is no Kerberos credential"));
  EXPECT_EQ(state(gss_target(GssEncMode::prefer, "trust_user")), without_gss);

  use_tickets("expired.ccache");
  for (const auto mode : {GssEncMode::disable, GssEncMode::require}) {
    EXPECT_THAT(unreachable(gss_target(mode)), HasSubstr("expired"));
  }
  EXPECT_EQ(state(gss_target(GssEncMode::prefer, "trust_user")), without_gss);
}

TEST_F(LiveGss, TellsWhichServerTheKdcDoesNotKnow) {
  for (const auto mode : {GssEncMode::disable, GssEncMode::require}) {
    auto target = gss_target(mode);
    target.krb_srv_name = "nobody";
    const std::string reason = unreachable(target);
    EXPECT_THAT(reason, HasSubstr("nobody@localhost"));
    EXPECT_THAT(reason, HasSubstr("not found in Kerberos database"));
  }
  auto target = gss_target(GssEncMode::prefer, "trust_user");
  target.krb_srv_name = "nobody";
  EXPECT_EQ(state(target), without_gss);
}

TEST_F(LiveGss, TellsThatTheKdcIsGone) {
  use_realm("dead.conf");
  use_tickets("fresh.ccache");
  for (const auto mode : {GssEncMode::disable, GssEncMode::require}) {
    EXPECT_THAT(unreachable(gss_target(mode)), HasSubstr("Cannot contact any KDC"));
  }
  EXPECT_EQ(state(gss_target(GssEncMode::prefer, "trust_user")), without_gss);
}

TEST_F(LiveGss, TakesRowsAndSendsQueriesLargerThanAnyPacket) {
  Session session(gss_target(GssEncMode::require));
  const std::string value = session.value("SELECT repeat('0123456789', 1000000)");
  EXPECT_EQ(value.size(), 10'000'000U);
  EXPECT_EQ(value.substr(value.size() - 3), "789");
  const std::vector<std::optional<std::string>> parameters{value};
  const QueryResult echoed =
      test::run(session.io, session.connection.query("SELECT $1::text", parameters));
  EXPECT_TRUE(echoed.rows.at(0).at(0) == value);
}

TEST_F(LiveGss, StreamsChangesLargerThanAnyPacket) {
  Session sql(target());
  sql.query("CREATE TABLE public.wrapped (id int PRIMARY KEY, text text)");
  sql.query("CREATE PUBLICATION wrapped FOR TABLE public.wrapped");
  sql.query("SELECT pg_create_logical_replication_slot('wrapped', 'pgoutput')");
  sql.query(
      "INSERT INTO public.wrapped SELECT i, repeat('x', 300000) FROM generate_series(1, 50) i");
  {
    Session stream(gss_target(GssEncMode::require), Purpose::replication);
    protocol::StartLogicalReplication options;
    options.slot = "wrapped";
    options.publications = {"wrapped"};
    test::run(stream.io, stream.connection.start_copy_both(protocol::start_replication(options)));
    int inserts = 0;
    while (inserts < 50) {
      test::run(stream.io, stream.connection.read_some());
      while (const auto data = stream.connection.next_copy_data()) {
        if (data->front() == protocol::primary_keepalive_type) continue;
        const auto message = protocol::read_xlog_data(*data);
        if (message.payload.front() == 'I') ++inserts;
      }
      // More than a packet holds, in one piece.
      for (int i = 0; i < 1000; ++i) {
        stream.connection.send_copy_data(protocol::standby_status_update({}));
      }
    }
    EXPECT_EQ(inserts, 50);
    stream.connection.send_copy_done();
    while (!stream.connection.server_ended_copy()) {
      test::run(stream.io, stream.connection.read_some());
      while (stream.connection.next_copy_data()) {
      }
    }
    EXPECT_EQ(stream.value(state_query), encrypted);
  }
  sql.query("SELECT pg_drop_replication_slot('wrapped')");
  sql.query("DROP PUBLICATION wrapped");
  sql.query("DROP TABLE public.wrapped");
}

TEST_F(LiveGss, CancelsThroughTheSameEncryption) {
  Session session(gss_target(GssEncMode::require));
  protocol::Requests requests;
  requests.query("SELECT pg_sleep(60)");
  session.connection.send(requests);
  test::run(session.io, session.connection.cancel());
  std::optional<std::string> sqlstate;
  while (!session.connection.dialogue().idle()) {
    const protocol::Reply reply = test::run(session.io, session.connection.next_reply());
    if (const auto* error = std::get_if<protocol::ErrorResponse>(&reply)) {
      sqlstate = error->fields.sqlstate;
    }
  }
  EXPECT_EQ(sqlstate, "57014");
  EXPECT_EQ(session.value(state_query), encrypted);
}

// The last one: threads that wait for this KDC live on, and read the environment.
TEST_F(LiveGss, WaitsForASilentKdcNoLongerThanForTheConnection) {
  use_realm("silent.conf");
  use_tickets("fresh.ccache");
  for (const auto mode : {GssEncMode::disable, GssEncMode::require, GssEncMode::prefer}) {
    auto target = gss_target(mode);
    target.connect_timeout = std::chrono::seconds(2);
    const auto start = std::chrono::steady_clock::now();
    const std::string reason = unreachable(target);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
    EXPECT_THAT(reason, HasSubstr("no session within 2000 ms (connect_timeout)"));
    EXPECT_THAT(reason, HasSubstr("the KDC"));
  }
}

}  // namespace
}  // namespace pgcourier::replication
