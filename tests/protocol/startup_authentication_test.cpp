// Who may ask for what, and what a server must prove, §55.2.1 and 55.3.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

using testing::HasSubstr;

TEST(StartupAuthentication, AnswersPasswordRequests) {
  EXPECT_EQ(Dialogue(parameters()).hear('R', cleartext), from_hex("70 0000000b 70656e63696c00"));
  EXPECT_THAT(Dialogue(parameters()).hear('R', md5), HasSubstr("md5"));
}

TEST(StartupAuthentication, NeedsAPasswordOnlyWhereOneIsAskedFor) {
  for (const auto& absent : {std::optional<std::string>{}, std::optional<std::string>{""}}) {
    auto given = parameters();
    given.password = absent;
    for (const auto& request : {cleartext, md5, scram_only}) {
      EXPECT_THAT(refusal(given, request), HasSubstr("none was given"));
    }
    Dialogue trusted(given);
    trusted.hear('R', ok);
    trusted.hear('Z', "I");
    EXPECT_TRUE(trusted.ready);
  }
}

TEST(StartupAuthentication, CompletesScramWithAndWithoutChannelBinding) {
  for (const bool tls : {false, true}) {
    for (const auto& offer : {scram_only, scram_plus}) {
      if (!tls && offer == scram_plus) continue;  // refused, see below
      for (const char* binding : {"disable", "prefer"}) {
        auto given = parameters();
        given.ask_for_tls = tls;
        given.channel_binding = binding;
        Dialogue dialogue(given);
        dialogue.hear('R', dialogue.hear_scram(offer));
        dialogue.hear('R', ok);
        dialogue.hear('Z', "I");
        EXPECT_TRUE(dialogue.ready);
      }
    }
  }
}

TEST(StartupAuthentication, ChoosesTheStrongestMechanismItMayUse) {
  auto given = parameters();
  given.ask_for_tls = true;
  EXPECT_THAT(Dialogue(given).hear('R', scram_plus), HasSubstr("p=tls-server-end-point,,"));
  EXPECT_THAT(Dialogue(given).hear('R', scram_only), HasSubstr("y,,n="));
  given.channel_binding = "disable";
  EXPECT_THAT(Dialogue(given).hear('R', scram_plus), HasSubstr("n,,n="));
}

TEST(StartupAuthentication, DoesNotPretendToBindWithoutACertificateHash) {
  auto given = parameters();
  given.ask_for_tls = true;
  for (const char* binding : {"prefer", "require"}) {
    given.channel_binding = binding;
    StartupHandshake handshake(given);
    handshake.start();
    handshake.sent();
    handshake.on_byte('S');
    handshake.on_tls({});
    handshake.sent();
    if (given.channel_binding == "require") {
      EXPECT_THROW(handshake.on_message('R', scram_plus), AuthenticationError);
    } else {
      EXPECT_THAT(std::get<SendBytes>(handshake.on_message('R', scram_plus)).bytes,
                  HasSubstr("n,,n="));
    }
  }
}

TEST(StartupAuthentication, RefusesDowngradesUnderChannelBindingRequire) {
  auto given = parameters();
  given.channel_binding = "require";
  EXPECT_THAT(refusal(given, scram_only), HasSubstr("does not use TLS"));
  given.ask_for_tls = true;
  EXPECT_THAT(refusal(given, scram_only), HasSubstr("does not offer it"));
  for (const auto& request : {cleartext, md5, ok}) {
    EXPECT_THAT(refusal(given, request), HasSubstr("channel_binding=require"));
  }
  Dialogue bound(given);
  bound.hear('R', bound.hear_scram(scram_plus));
  EXPECT_NO_THROW(bound.hear('R', ok));
}

TEST(StartupAuthentication, RefusesPlusOnAConnectionWithoutTls) {
  EXPECT_THAT(refusal(parameters(), scram_plus), HasSubstr("without TLS"));
}

TEST(StartupAuthentication, RefusesMethodsThatRequireAuthForbids) {
  auto given = parameters();
  given.require_auth = "scram-sha-256";
  for (const auto& request : {cleartext, md5, ok}) {
    EXPECT_THAT(refusal(given, request), HasSubstr("require_auth"));
  }
  Dialogue allowed(given);
  allowed.hear('R', allowed.hear_scram(scram_only));
  EXPECT_NO_THROW(allowed.hear('R', ok));

  given.require_auth = "!password,!none";
  EXPECT_THAT(refusal(given, cleartext), HasSubstr("password"));
  EXPECT_THAT(refusal(given, ok), HasSubstr("without completing"));
  EXPECT_NO_THROW(Dialogue(given).hear('R', md5));

  given.require_auth = "none";
  EXPECT_NO_THROW(Dialogue(given).hear('R', ok));
  EXPECT_THAT(refusal(given, scram_only), HasSubstr("scram-sha-256"));
}

TEST(StartupAuthentication, RefusesAServerThatCutsScramShort) {
  for (const int heard : {1, 2}) {
    Dialogue dialogue(parameters());
    dialogue.hear('R', scram_only);
    if (heard == 2) {
      dialogue.hear('R', from_hex("0000000b") + "r=" + server_nonce + ",s=QUJD,i=2");
    }
    EXPECT_THROW(dialogue.hear('R', ok), AuthenticationError) << heard;
  }
}

TEST(StartupAuthentication, RefusesAServerThatDoesNotKnowThePassword) {
  Dialogue dialogue(parameters());
  dialogue.hear_scram(scram_only);
  const std::string forged = from_hex("0000000c") + "v=" + encode_base64(std::string(32, 'x'));
  EXPECT_THROW(dialogue.hear('R', forged), AuthenticationError);
}

TEST(StartupAuthentication, RefusesASecondRequestThatFishesForThePassword) {
  for (const auto& first : {cleartext, md5, scram_only}) {
    for (const auto& second : {cleartext, md5, scram_only}) {
      Dialogue dialogue(parameters());
      dialogue.hear('R', first);
      EXPECT_THROW(dialogue.hear('R', second), ProtocolError);
    }
  }
  Dialogue done(parameters());
  done.hear('R', ok);
  EXPECT_THROW(done.hear('R', cleartext), ProtocolError);
}

TEST(StartupAuthentication, RefusesSaslMessagesOutsideOfSasl) {
  EXPECT_THROW(Dialogue(parameters()).hear('R', from_hex("0000000b 41")), ProtocolError);
  EXPECT_THROW(Dialogue(parameters()).hear('R', from_hex("0000000c 41")), ProtocolError);
  EXPECT_THROW(Dialogue(parameters()).hear('R', from_hex("00000008 41")), ProtocolError);
}

TEST(StartupAuthentication, NamesMethodsThatAreNotSupported) {
  EXPECT_THAT(refusal(parameters(), from_hex("00000002")), HasSubstr("Kerberos V5"));
  EXPECT_THAT(refusal(parameters(), from_hex("00000009")), HasSubstr("SSPI"));
  EXPECT_THAT(refusal(parameters(), from_hex("0000004d")), HasSubstr("(77)"));
  const auto other = from_hex("0000000a") + std::string("X\0Y\0\0", 5);
  EXPECT_THAT(refusal(parameters(), other), HasSubstr(": X Y"));
}

TEST(StartupAuthentication, SendsNothingWhereTheCertificateIsMissing) {
  auto given = parameters();
  given.insist_on_certificate = true;
  const auto error = [](StartupHandshake& handshake, auto step) {
    return tests::message_of<AuthenticationError>([&] { step(handshake); });
  };
  StartupHandshake in_clear(given);
  EXPECT_THAT(error(in_clear, [](auto& h) { h.start(); }), HasSubstr("does not use TLS"));
  given.ask_for_tls = true;
  StartupHandshake not_offered(given);
  not_offered.start();
  not_offered.sent();
  EXPECT_THAT(error(not_offered, [](auto& h) { h.on_byte('N'); }), HasSubstr("does not use TLS"));
  for (const bool asked : {false, true}) {
    StartupHandshake handshake(given);
    handshake.start();
    handshake.sent();
    handshake.on_byte('S');
    if (asked) {
      EXPECT_TRUE(std::holds_alternative<SendBytes>(handshake.on_tls("hash", true)));
    } else {
      EXPECT_THAT(error(handshake, [](auto& h) { h.on_tls("hash", false); }),
                  HasSubstr("no certificate of ours was sent"));
    }
  }
}

TEST(StartupAuthentication, RefusesSettingsItDoesNotKnow) {
  const auto refuses = [](const char* require_auth, const char* binding, const char* reason) {
    auto given = parameters();
    given.require_auth = require_auth;
    given.channel_binding = binding;
    EXPECT_THAT(tests::message_of<AuthenticationError>([&] { StartupHandshake{given}; }),
                HasSubstr(reason));
  };
  refuses("kerberos", "prefer", "\"kerberos\" is not a method");
  refuses("md5,", "prefer", "\"\" is not a method");
  refuses("md5,!password", "prefer", "mixes");
  refuses("!md5,password", "prefer", "mixes");
  refuses("md5, md5", "prefer", "named twice");
  refuses("", "maybe", "\"maybe\" is none of");
}

}  // namespace
}  // namespace pgcourier::protocol
