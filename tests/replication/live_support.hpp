// What the tests that need a real server have in common. Driven by tests/integration/connection.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/connection_string.hpp"
#include "replication/connection.hpp"
#include "replication/session_settings.hpp"
#include "tests/replication/run_awaitable.hpp"

namespace pgcourier::replication::test {

inline std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : "";
}

// What the driver tells of the server of a major.
inline std::string environment(const std::string& variable, int major) {
  return environment((variable + "_" + std::to_string(major)).c_str());
}

inline std::string certificate(const std::string& file) {
  return environment("PGCOURIER_TEST_CERTIFICATES") + "/" + file;
}

// Skips loudly without a server; the driver takes a skipped test for a failure.
class LiveTest : public testing::Test {
 protected:
  void SetUp() override {
    if (environment("PGCOURIER_TEST_PORT", debian).empty()) {
      GTEST_SKIP() << "needs a server: run tests/integration/connection/run.py";
    }
  }

  // Only the server of Debian's major has a realm, only that of 18 takes tokens; all else is on
  // each.
  static constexpr int majors[] = {14, 15, 16, 17, 18};
  static constexpr int debian = 15;

  static config::Host host_at(const std::string& name, const std::string& port) {
    config::Host host;
    host.name = name;
    host.port = static_cast<std::uint16_t>(std::stoi(port));
    return host;
  }
  static config::Host host_of(int major, const std::string& name = "127.0.0.1") {
    return host_at(name, environment("PGCOURIER_TEST_PORT", major));
  }
  static config::Host standby_of(int major) {
    return host_at("127.0.0.1", environment("PGCOURIER_TEST_STANDBY_PORT", major));
  }
  static config::ConnectionTarget target(const std::string& user = "postgres") {
    return target_of(debian, user);
  }
  static config::ConnectionTarget target_of(int major, const std::string& user = "postgres") {
    config::ConnectionTarget target;
    target.hosts = {host_of(major)};
    target.user = user;
    target.database = "postgres";
    target.ssl_mode = config::SslMode::disable;
    target.gss_enc_mode = config::GssEncMode::disable;
    target.channel_binding = "prefer";
    target.connect_timeout = std::chrono::seconds(20);
    target.application_name = "live tests";
    return target;
  }
};

// A connection that is used from outside of coroutines.
struct Session {
  asio::io_context io;
  Connection connection{io, 256 * 1024 * 1024};

  explicit Session(const config::ConnectionTarget& target, Purpose purpose = Purpose::sql) {
    run(io, connection.open(target, purpose, session_settings()));
  }
  QueryResult query(std::string_view sql) { return run(io, connection.query(sql)); }
  // The one value of the one row.
  std::string value(std::string_view sql) { return query(sql).rows.at(0).at(0).value_or("NULL"); }
};

// "TLSv1.3" and the like; empty without TLS.
inline std::string tls_version(const config::ConnectionTarget& target) {
  Session session(target);
  const std::string version =
      session.value("SELECT coalesce(version, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
  EXPECT_EQ(session.connection.uses_tls(), !version.empty());
  return version;
}

}  // namespace pgcourier::replication::test
