// The same scenario with both sides of the oracle, against a server of the driver.
#pragma once

#include <gmock/gmock.h>

#include <string>

#include "tests/replication/live_oracle.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication::test {

class LiveOracle : public LiveTest {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    const std::string wanted = environment("PGCOURIER_TEST_LIBPQ");
    if (!wanted.empty()) {
      ASSERT_EQ(std::to_string(libpq_major()), wanted);
    }
  }

  // The last word for a keyword counts, so a test may overrule each of these.
  static std::string on(int major) {
    return "host=127.0.0.1 port=" + environment("PGCOURIER_TEST_PORT", major) +
           " user=postgres dbname=postgres connect_timeout=20 target_session_attrs=any";
  }

  // What the server says of the session, and both ends of its encryption.
  static void look(Side& side) {
    if (!side.connected()) return;
    side.simple(
        "SELECT current_user, current_database(), pg_is_in_recovery(), inet_server_port(),"
        "  current_setting('client_encoding'), current_setting('application_name'),"
        "  current_setting('work_mem'), current_setting('geqo'), ssl, version, cipher, client_dn "
        "FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    EXPECT_EQ(side.uses_tls(), contains(side, "'TLSv1."));
  }

  template <typename Scenario>
  static void same(const std::string& connection, Scenario scenario) {
    SCOPED_TRACE(connection);
    const auto oracle = libpq_side(connection);
    scenario(*oracle);
    const auto ours = our_side(connection);
    scenario(*ours);
    EXPECT_EQ(ours->seen(), oracle->seen());
    EXPECT_EQ(ours->notices(), oracle->notices());
  }

  static void connects(const std::string& connection) { same(connection, look); }

  // Ours differs from libpq, for the reason given: it does what libpq does with `like`.
  static void connects_otherwise(const std::string& connection, const std::string& like,
                                 const std::string& reason) {
    SCOPED_TRACE(connection);
    const auto ours = our_side(connection);
    look(*ours);
    const auto oracle = libpq_side(connection);
    look(*oracle);
    const auto likened = libpq_side(like);
    look(*likened);
    EXPECT_NE(ours->seen(), oracle->seen()) << "no difference: " << reason;
    EXPECT_EQ(ours->seen(), likened->seen()) << reason;
  }

 private:
  static bool contains(const Side& side, std::string_view text) {
    return std::any_of(side.seen().begin(), side.seen().end(),
                       [&](const std::string& line) { return line.starts_with(text); });
  }
};

}  // namespace pgcourier::replication::test
