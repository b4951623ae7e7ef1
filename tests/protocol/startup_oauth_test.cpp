// OAUTHBEARER, §55.3 and RFC 7628: when a token is sent, and what becomes of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/oauth_client.hpp"
#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string token = "eyJhbGciOi.J9-_~+/==";
const std::string challenge =
    R"({ "status": "invalid_token", "openid-configuration": "https://id.test/.well-known/openid-configuration", "scope": "db" })";

StartupParameters over_tls() {
  auto given = parameters();
  given.password.reset();
  given.has_oauth_token = true;
  given.ask_for_tls = true;
  return given;
}

std::string offer(const std::string& mechanisms) { return from_hex("0000000a") + mechanisms; }
std::string sasl_continue(const std::string& data) { return from_hex("0000000b") + data; }

std::string error_fields(const std::string& text) {
  return std::string("SFATAL\0VFATAL\0C28000\0M", 22) + text + std::string("\0\0", 2);
}

// The token is sent, and the next thing the server says is `body`.
template <typename Error>
std::string error_after_token(char type, const std::string& body) {
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  dialogue.give_token(token);
  return tests::message_of<Error>([&] { dialogue.hear(type, body); });
}

TEST(StartupOAuth, SendsTheTokenWhereTheServerAsksForIt) {
  Dialogue dialogue(over_tls());
  EXPECT_EQ(dialogue.hear('R', oauth_only), "");
  EXPECT_TRUE(dialogue.wants_token);
  EXPECT_EQ(dialogue.give_token(token), from_hex("70 0000003a") + std::string("OAUTHBEARER\0", 12) +
                                            from_hex("00000026") +
                                            "n,,\x01"
                                            "auth=Bearer " +
                                            token + "\x01\x01");
  EXPECT_EQ(dialogue.hear('R', ok), "");
  dialogue.hear('Z', "I");
  EXPECT_TRUE(dialogue.ready);
}

TEST(StartupOAuth, AnswersAChallengeAndTellsItsReason) {
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  dialogue.give_token(token);
  EXPECT_EQ(dialogue.hear('R', sasl_continue(challenge)), from_hex("70 00000005 01"));
  const auto refused = tests::message_of<AuthenticationError>(
      [&] { dialogue.hear('E', error_fields("OAuth bearer authentication failed")); });
  EXPECT_THAT(refused, AllOf(HasSubstr("OAuth bearer authentication failed"), HasSubstr("28000"),
                             HasSubstr("invalid_token"), HasSubstr("https://id.test/"),
                             HasSubstr("expired"), Not(HasSubstr(token))));
}

TEST(StartupOAuth, NeverTellsTheTokenWithoutAChallengeEither) {
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  dialogue.give_token(token);
  const auto refused =
      tests::message_of<ServerError>([&] { dialogue.hear('E', error_fields("bad " + token)); });
  EXPECT_THAT(refused, AllOf(HasSubstr("28000"), HasSubstr("bad ***"), Not(HasSubstr(token))));
}

TEST(StartupOAuth, NeverTellsTheTokenEvenIfTheServerRepeatsIt) {
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  dialogue.give_token(token);
  dialogue.hear('R', sasl_continue(token + std::string(500, 'x') + token + token + "\n\xff"));
  const auto refused = tests::message_of<AuthenticationError>(
      [&] { dialogue.hear('E', error_fields("bad " + token + "\x1b[2J")); });
  EXPECT_THAT(refused, AllOf(HasSubstr("bad *** [2J"), HasSubstr("***xxx"), Not(HasSubstr(token))));
  for (std::size_t size = 4; size < token.size(); ++size) {
    EXPECT_THAT(refused, Not(HasSubstr(token.substr(0, size))));
  }
}

TEST(StartupOAuth, CutsAHugeChallenge) {
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  dialogue.give_token(token);
  EXPECT_EQ(dialogue.hear('R', sasl_continue(std::string(1'000'000, '{'))),
            from_hex("70 00000005 01"));
  const auto refused =
      tests::message_of<AuthenticationError>([&] { dialogue.hear('E', error_fields("no")); });
  EXPECT_LT(refused.size(), 1000u);
}

TEST(StartupOAuth, RefusesWhatCantFollow) {
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  dialogue.give_token(token);
  dialogue.hear('R', sasl_continue(challenge));
  EXPECT_THROW(dialogue.hear('R', sasl_continue(challenge)), ProtocolError);

  Dialogue let_in(over_tls());
  let_in.hear('R', oauth_only);
  let_in.give_token(token);
  let_in.hear('R', sasl_continue(""));
  EXPECT_THROW(let_in.hear('R', ok), ProtocolError);

  // Of a success there is nothing more to say (RFC 7628 3.1), and the token is sent once.
  for (const auto& second : {oauth_only, scram_only, cleartext, md5, from_hex("0000000c 41")}) {
    EXPECT_NE(error_after_token<ProtocolError>('R', second), "");
  }
  EXPECT_NE(error_after_token<ProtocolError>('Z', "I"), "");
  EXPECT_THAT(error_after_token<ServerError>('E', error_fields("shutting down")),
              HasSubstr("shutting down"));
}

TEST(StartupOAuth, TakesNoTokenBeforeOneIsAskedFor) {
  EXPECT_THROW(Dialogue(over_tls()).give_token(token), std::logic_error);
  Dialogue dialogue(over_tls());
  dialogue.hear('R', oauth_only);
  EXPECT_THROW(dialogue.hear('R', ok), std::logic_error);
}

TEST(StartupOAuth, SaysWhichSettingsGiveAToken) {
  auto given = over_tls();
  given.has_oauth_token = false;
  EXPECT_THAT(refusal(given, oauth_only),
              AllOf(HasSubstr("source.oauth_token"), HasSubstr("source.oauth_token_command")));
}

TEST(StartupOAuth, NeverSendsATokenInClearOverANetwork) {
  auto given = over_tls();
  given.ask_for_tls = false;
  EXPECT_THAT(refusal(given, oauth_only), HasSubstr("without TLS"));
  given.unix_socket = true;
  Dialogue local(given);
  local.hear('R', oauth_only);
  EXPECT_TRUE(local.wants_token);
}

TEST(StartupOAuth, HonoursRequireAuth) {
  auto given = over_tls();
  for (const char* forbidding : {"scram-sha-256", "!oauth", "none", "password,md5"}) {
    given.require_auth = forbidding;
    EXPECT_THAT(refusal(given, oauth_only), HasSubstr("oauth, which require_auth forbids"));
  }
  given.require_auth = "oauth";
  for (const auto& request : {cleartext, md5, scram_only, ok}) {
    EXPECT_THAT(refusal(given, request), HasSubstr("require_auth"));
  }
  for (const char* allowing : {"oauth", "!password,!none", "md5,oauth"}) {
    given.require_auth = allowing;
    Dialogue dialogue(given);
    dialogue.hear('R', oauth_only);
    dialogue.give_token(token);
    EXPECT_NO_THROW(dialogue.hear('R', ok)) << allowing;
  }
  given.require_auth = "";
  given.channel_binding = "require";
  EXPECT_THAT(refusal(given, oauth_only), HasSubstr("can't bind"));
}

TEST(StartupOAuth, ChoosesScramWhereItCan) {
  const std::string both = offer(std::string("OAUTHBEARER\0SCRAM-SHA-256\0\0", 27));
  const auto chooses_oauth = [&](const StartupParameters& given) {
    Dialogue dialogue(given);
    const auto answer = dialogue.hear('R', both);
    EXPECT_NE(dialogue.wants_token, answer.find("SCRAM-SHA-256") != std::string::npos);
    return dialogue.wants_token;
  };
  auto given = over_tls();
  EXPECT_TRUE(chooses_oauth(given));
  given.password = "pencil";
  EXPECT_FALSE(chooses_oauth(given));
  given.require_auth = "oauth";
  EXPECT_TRUE(chooses_oauth(given));
  given.require_auth = "!oauth";
  EXPECT_FALSE(chooses_oauth(given));
  given.password.reset();
  EXPECT_THAT(refusal(given, both), HasSubstr("asks for a password"));
  // A token is no password.
  EXPECT_THAT(refusal(over_tls(), scram_only), HasSubstr("asks for a password"));
}

TEST(StartupOAuth, RefusesWhatIsNoToken) {
  const auto refused = [](const std::string& text) {
    Dialogue dialogue(over_tls());
    dialogue.hear('R', oauth_only);
    return tests::message_of<AuthenticationError>([&] { dialogue.give_token(text); });
  };
  EXPECT_THAT(refused(""), HasSubstr("empty"));
  for (const std::string bad : {"=", "===", "hunter2 x", "hunter2\n", "Bearer hunter2", "hun=ter2",
                                "hunter2\x01", "hünter2", "hunter2,"}) {
    EXPECT_THAT(refused(bad), AllOf(HasSubstr("OAuth token"), Not(HasSubstr("hunter2")))) << bad;
  }
  EXPECT_THAT(refused(std::string(max_oauth_token_bytes + 1, 'x')), HasSubstr("65001 bytes"));
  Dialogue longest(over_tls());
  longest.hear('R', oauth_only);
  EXPECT_NO_THROW(longest.give_token(std::string(max_oauth_token_bytes, 'x')));
}

}  // namespace
}  // namespace pgcourier::protocol
