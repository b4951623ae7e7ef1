// GSSAPI, to authenticate and to encrypt, without its library: §55.2.1 and §55.2.11.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/server_error.hpp"
#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

using testing::HasSubstr;

const std::string gss = from_hex("00000007");
const std::string gss_continue = from_hex("00000008");
const std::string gss_enc_request = from_hex("00000008 04d21630");
const std::string ssl_request = from_hex("00000008 04d2162f");

// A handshake that has sent GSSENCRequest and awaits the answer.
StartupHandshake asked(StartupParameters given) {
  given.ask_for_gss = true;
  StartupHandshake handshake(std::move(given));
  EXPECT_EQ(std::get<SendBytes>(handshake.start()).bytes, gss_enc_request);
  EXPECT_TRUE(std::holds_alternative<ReadByte>(handshake.sent()));
  return handshake;
}

// A handshake that encrypts by GSSAPI and awaits the answer to the StartupMessage.
StartupHandshake encrypted(StartupParameters given) {
  StartupHandshake handshake = asked(std::move(given));
  EXPECT_TRUE(std::holds_alternative<StartGss>(handshake.on_byte('G')));
  EXPECT_EQ(std::get<SendBytes>(handshake.on_gss_encryption()).bytes.substr(4, 4),
            from_hex("00030000"));
  handshake.sent();
  return handshake;
}

// A handshake in clear that awaits the answer to the StartupMessage.
StartupHandshake clear(StartupParameters given) {
  StartupHandshake handshake(std::move(given));
  handshake.start();
  handshake.sent();
  return handshake;
}

TEST(StartupGssEncryption, ComesInsteadOfTls) {
  auto given = parameters();
  given.ask_for_tls = true;
  given.insist_on_tls = true;
  StartupHandshake handshake = encrypted(given);
  EXPECT_TRUE(std::holds_alternative<ReadMessage>(handshake.on_message('R', ok)));
  EXPECT_TRUE(std::holds_alternative<Ready>(handshake.on_message('Z', "I")));
}

TEST(StartupGssEncryption, InsistingOnItIsAskingForIt) {
  auto given = parameters();
  given.insist_on_gss = true;
  EXPECT_EQ(std::get<SendBytes>(StartupHandshake(given).start()).bytes, gss_enc_request);
}

TEST(StartupGssEncryption, GivesWayToTlsOrNoneOnTheSameConnection) {
  auto given = parameters();
  EXPECT_EQ(std::get<SendBytes>(asked(given).on_byte('N')).bytes.substr(4, 4),
            from_hex("00030000"));

  given.ask_for_tls = true;
  StartupHandshake handshake = asked(given);
  EXPECT_EQ(std::get<SendBytes>(handshake.on_byte('N')).bytes, ssl_request);
  EXPECT_TRUE(std::holds_alternative<ReadByte>(handshake.sent()));
  EXPECT_TRUE(std::holds_alternative<StartTls>(handshake.on_byte('S')));
}

TEST(StartupGssEncryption, IsMissedWhereItIsRequiredOrNothingElseCanFollow) {
  auto given = parameters();
  given.insist_on_gss = true;
  EXPECT_THROW(asked(given).on_byte('N'), GssEncryptionRefused);
  given.insist_on_gss = false;
  given.insist_on_tls = true;
  given.direct_tls = true;
  EXPECT_THROW(asked(given).on_byte('N'), GssEncryptionRefused);
}

TEST(StartupGssEncryption, RefusesOtherAnswers) {
  EXPECT_THROW(asked(parameters()).on_byte('E'), GssEncryptionRefused);
  auto insisting = parameters();
  insisting.insist_on_gss = true;
  EXPECT_THROW(asked(insisting).on_byte('E'), ServerError);
  for (const char answer : std::string_view("SHR\0g", 5)) {
    EXPECT_THROW(asked(parameters()).on_byte(answer), ProtocolError);
  }
  auto given = parameters();
  given.ask_for_tls = true;
  StartupHandshake handshake = asked(given);
  handshake.on_byte('N');
  handshake.sent();
  EXPECT_THROW(handshake.on_byte('G'), ProtocolError);
}

TEST(StartupGssEncryption, SatisfiesRequireAuthOnlyWhereGssIsAllowed) {
  auto given = parameters();
  given.require_auth = "gss";
  EXPECT_NO_THROW(encrypted(given).on_message('R', ok));
  EXPECT_THROW(clear(given).on_message('R', ok), AuthenticationError);
  EXPECT_THROW(encrypted(given).on_message('R', cleartext), AuthenticationError);
  for (const char* others : {"scram-sha-256", "!gss,!none"}) {
    given.require_auth = others;
    EXPECT_THROW(encrypted(given).on_message('R', ok), AuthenticationError);
  }
}

TEST(StartupGssEncryption, IsNoChannelToBindTo) {
  auto given = parameters();
  given.channel_binding = "require";
  EXPECT_THROW(encrypted(given).on_message('R', scram_only), AuthenticationError);
  EXPECT_THROW(encrypted(given).on_message('R', ok), AuthenticationError);
}

TEST(StartupGssEncryption, LeavesNothingToAuthenticateByGssapi) {
  EXPECT_THROW(encrypted(parameters()).on_message('R', gss), ProtocolError);
}

TEST(StartupGssAuthentication, CarriesTokensToTheLibraryAndBack) {
  StartupHandshake handshake = clear(parameters());
  EXPECT_EQ(std::get<AskGss>(handshake.on_message('R', gss)).token, "");
  EXPECT_EQ(std::get<SendBytes>(handshake.on_gss_token("first", false)).bytes,
            from_hex("70 00000009") + "first");
  handshake.sent();
  EXPECT_EQ(std::get<AskGss>(handshake.on_message('R', gss_continue + "reply")).token, "reply");
  EXPECT_TRUE(std::holds_alternative<ReadMessage>(handshake.on_gss_token("", true)));
  EXPECT_TRUE(std::holds_alternative<ReadMessage>(handshake.on_message('R', ok)));
  EXPECT_TRUE(std::holds_alternative<Ready>(handshake.on_message('Z', "I")));
}

TEST(StartupGssAuthentication, MayTakeMoreThanOneRound) {
  StartupHandshake handshake = clear(parameters());
  handshake.on_message('R', gss);
  for (const bool complete : {false, false, true}) {
    handshake.on_gss_token("more", complete);
    handshake.sent();
    if (!complete) handshake.on_message('R', gss_continue + "reply");
  }
  EXPECT_NO_THROW(handshake.on_message('R', ok));
}

TEST(StartupGssAuthentication, RefusesAServerThatCutsItShort) {
  StartupHandshake handshake = clear(parameters());
  handshake.on_message('R', gss);
  handshake.on_gss_token("first", false);
  handshake.sent();
  EXPECT_THAT(tests::message_of<AuthenticationError>([&] { handshake.on_message('R', ok); }),
              HasSubstr("GSSAPI cut short"));
}

TEST(StartupGssAuthentication, RefusesMessagesOutOfOrder) {
  EXPECT_THROW(clear(parameters()).on_message('R', gss_continue + "early"), ProtocolError);
  for (const std::string& second : {gss, cleartext, scram_only, gss_continue + "late"}) {
    StartupHandshake handshake = clear(parameters());
    handshake.on_message('R', gss);
    handshake.on_gss_token("first", true);
    handshake.sent();
    EXPECT_THROW(handshake.on_message('R', second), ProtocolError);
  }
  StartupHandshake handshake = clear(parameters());
  handshake.on_message('R', gss);
  EXPECT_THROW(handshake.on_message('R', gss), std::logic_error);
  EXPECT_THROW(clear(parameters()).on_gss_token("unasked", true), std::logic_error);
  EXPECT_THROW(clear(parameters()).on_gss_encryption(), std::logic_error);
}

TEST(StartupGssAuthentication, FollowsRequireAuthAndChannelBinding) {
  auto given = parameters();
  given.require_auth = "gss";
  EXPECT_NO_THROW(clear(given).on_message('R', gss));
  EXPECT_THROW(clear(given).on_message('R', scram_only), AuthenticationError);
  for (const char* others : {"!gss", "scram-sha-256,none"}) {
    given.require_auth = others;
    EXPECT_THROW(clear(given).on_message('R', gss), AuthenticationError);
  }
  given = parameters();
  given.channel_binding = "require";
  EXPECT_THAT(tests::message_of<AuthenticationError>([&] { clear(given).on_message('R', gss); }),
              HasSubstr("can't bind"));
}

}  // namespace
}  // namespace pgcourier::protocol
