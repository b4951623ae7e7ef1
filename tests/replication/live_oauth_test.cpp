// OAUTHBEARER against a real PostgreSQL 18, whose validator takes let-in.ROLE for ROLE's token.
#include <gmock/gmock.h>

#include "protocol/authentication_error.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using test::Session;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LiveOAuth : public test::LiveTest {
 protected:
  static config::ConnectionTarget oauth_target() {
    auto target = target_of(18);
    target.user = "oauth_user";
    target.ssl_mode = SslMode::require;
    target.oauth_token = "let-in.oauth_user";
    return target;
  }
  static std::string refusal(const config::ConnectionTarget& target) {
    try {
      Session session(target);
      return "";
    } catch (const protocol::AuthenticationError& error) {
      return error.what();
    }
  }
};

TEST_F(LiveOAuth, IsLetInWithAToken) {
  for (const char* required : {"", "oauth", "!password,!none"}) {
    auto target = oauth_target();
    target.require_auth = required;
    EXPECT_EQ(Session(target).value("SELECT system_user"), "oauth:oauth_user");
  }
  auto printed = oauth_target();
  printed.oauth_token = "";
  printed.oauth_token_command = {"/bin/echo", "let-in.oauth_user"};
  EXPECT_EQ(Session(printed).value("SELECT current_user"), "oauth_user");
  Session walsender(printed, Purpose::replication);
  EXPECT_EQ(walsender.query("IDENTIFY_SYSTEM").rows.size(), 1u);
}

TEST_F(LiveOAuth, IsLetInOverAUnixSocket) {
  auto target = oauth_target();
  target.hosts[0].name = test::environment("PGCOURIER_TEST_SOCKETS");
  EXPECT_EQ(Session(target).value("SELECT system_user"), "oauth:oauth_user");
}

TEST_F(LiveOAuth, TellsWhyATokenIsRefused) {
  auto target = oauth_target();
  target.oauth_token = "hunter2";
  EXPECT_THAT(refusal(target),
              AllOf(HasSubstr("28000"), HasSubstr("invalid_token"), HasSubstr("https://id.test"),
                    HasSubstr("\"db\""), Not(HasSubstr("hunter2"))));
}

TEST_F(LiveOAuth, TellsWhetherAnotherTokenMayDo) {
  auto target = oauth_target();
  target.oauth_token = "";
  target.oauth_token_command = {"/bin/echo", "expired"};
  EXPECT_THROW(Session session(target), protocol::OAuthTokenRefused);
  target.oauth_token_command.clear();
  target.oauth_token = "expired";
  try {
    Session session(target);
    ADD_FAILURE() << "it was let in";
  } catch (const protocol::OAuthTokenRefused&) {
    ADD_FAILURE() << "there is no other token";
  } catch (const protocol::AuthenticationError&) {
  }
}

TEST_F(LiveOAuth, NeverSendsATokenInClear) {
  auto target = oauth_target();
  target.ssl_mode = SslMode::disable;
  EXPECT_THAT(refusal(target), HasSubstr("without TLS"));
  target.ssl_mode = SslMode::allow;
  EXPECT_THAT(refusal(target), HasSubstr("without TLS"));
}

TEST_F(LiveOAuth, AsksForAToken) {
  auto target = oauth_target();
  target.oauth_token = "";
  EXPECT_THAT(refusal(target), HasSubstr("source.oauth_token_command"));
}

TEST_F(LiveOAuth, HonoursRequireAuth) {
  for (const char* forbidding : {"!oauth", "scram-sha-256"}) {
    auto target = oauth_target();
    target.require_auth = forbidding;
    EXPECT_THAT(refusal(target), HasSubstr("require_auth forbids"));
  }
  auto trusted = oauth_target();
  trusted.user = "postgres";
  trusted.require_auth = "oauth";
  EXPECT_THAT(refusal(trusted), HasSubstr("require_auth demands"));
}

}  // namespace
}  // namespace pgcourier::replication
