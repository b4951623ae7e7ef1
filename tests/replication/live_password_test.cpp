// Passwords that SASLprep changes, or must not: the server made the verifier, libpq is the oracle.
#include <gmock/gmock.h>
#include <libpq-fe.h>

#include <memory>

#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using test::Session;

// In an SQL_ASCII database the server takes any bytes for text.
class LivePassword : public test::OnEachMajor {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    if (IsSkipped()) return;
    Session session(target());
    session.query("DROP DATABASE IF EXISTS any_bytes");
    session.query("CREATE DATABASE any_bytes ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0");
  }

  static void store(const std::string& password) {
    auto target = OnEachMajor::target();
    target.database = "any_bytes";
    std::string literal;
    for (const char c : password) {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      (((literal += "\\x") += digits[byte >> 4]) += digits[byte & 0xf]);
    }
    Session session(target);
    session.query(
        "DROP ROLE IF EXISTS prepared; SET password_encryption = 'scram-sha-256';"
        "CREATE ROLE prepared LOGIN PASSWORD E'" +
        literal + "'");
  }

  static config::ConnectionTarget prepared(const std::string& password) {
    auto target = OnEachMajor::target("prepared");
    target.hosts[0].password = password;
    return target;
  }

  static bool lets_us_in(const std::string& password) {
    try {
      Session session(prepared(password));
      return true;
    } catch (const protocol::ServerError& error) {
      EXPECT_EQ(error.sqlstate(), "28P01");
      return false;
    }
  }

  static bool lets_libpq_in(const std::string& password) {
    const std::string port = std::to_string(host().port);
    const char* const names[] = {"host",     "port",    "user",       "dbname",
                                 "password", "sslmode", "gssencmode", nullptr};
    const char* const values[] = {"127.0.0.1",      port.c_str(), "prepared", "postgres",
                                  password.c_str(), "disable",    "disable",  nullptr};
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
        PQconnectdbParams(names, values, 0), &PQfinish);
    return PQstatus(connection.get()) == CONNECTION_OK;
  }
};
INSTANTIATE_TEST_SUITE_P(Each, LivePassword, LivePassword::each(), LivePassword::name);

struct Password {
  std::string stored;
  std::string given;
  bool same;  // to a server that prepares both
};

TEST_P(LivePassword, IsPreparedAsTheServerAndLibpqDo) {
  const Password passwords[] = {
      {"pass\u00A0word", "pass word", true},
      {"pass\u3000word", "pass\u00A0word", true},
      {"soft\u00ADhyphen", "softhyphen", true},
      {"\uFF50\uFF45\uFF4E\uFF43\uFF49\uFF4C", "pencil", true},
      {"\uFB01sh", "fish", true},
      {"cafe\u0301", "caf\u00E9", true},
      {"\U0002F868", "\u36FC", true},
      {"\u05D0\u00A0\u05D1", "\u05D0 \u05D1", true},
      {"\u05D0\u2121\u05D1", "\u05D0TEL\u05D1", true},   // one prepared, the other raw
      {"\u05D0\u00A0a\u05D1", "\u05D0 a\u05D1", false},  // mixes directions: raw
      {"\u0221\u00A0", "\u0221 ", false},                // not assigned: raw
      {"\u0340\u00A0", "\u0300 ", false},                // prohibited: raw
      {"\u00AD", "\u200D", false},                       // nothing would be left: raw
      {"\u00A0\xff", " \xff", false},                    // not UTF-8: raw
      {"\u00A0\xc3", " \xc3", false},
      {"pencil", "Pencil", false},
  };
  for (const auto& [stored, given, same] : passwords) {
    SCOPED_TRACE(stored);
    store(stored);
    EXPECT_TRUE(lets_us_in(stored));
    EXPECT_TRUE(lets_libpq_in(stored));
    EXPECT_EQ(lets_us_in(given), lets_libpq_in(given));
    EXPECT_EQ(lets_libpq_in(given), same);
  }
}

}  // namespace
}  // namespace pgcourier::replication
