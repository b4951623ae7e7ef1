#include "protocol/startup_handshake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base64.hpp"
#include "protocol/scram_proof.hpp"
#include "protocol/server_error.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::HasSubstr;
using tests::from_hex;

const std::string ok = from_hex("00000000");
const std::string cleartext = from_hex("00000003");
const std::string md5 = from_hex("00000005 01020304");
const std::string scram_only = from_hex("0000000a") + std::string("SCRAM-SHA-256\0\0", 15);
const std::string scram_plus =
    from_hex("0000000a") + std::string("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", 34);
const std::string server_nonce = "fyko+d2lbbFgONRv9qkxdawLserver";

StartupParameters parameters() {
  StartupParameters given;
  given.user = "me";
  given.database = "shop";
  given.password = "pencil";
  given.ask_for_tls = false;
  given.scram_nonce = "fyko+d2lbbFgONRv9qkxdawL";  // as in the recording
  return given;
}

// A handshake whose StartupMessage is sent.
class Dialogue {
 public:
  explicit Dialogue(const StartupParameters& given) : handshake_(given) {
    if (given.ask_for_tls) {
      handshake_.start();
      handshake_.sent();
      handshake_.on_byte('S');
      handshake_.on_tls("certificate hash");
    } else {
      handshake_.start();
    }
    EXPECT_TRUE(std::holds_alternative<ReadMessage>(handshake_.sent()));
  }

  // What the client answers; empty if it goes on reading.
  std::string hear(char type, const std::string& body) {
    const tests::ExactBuffer exact(body);
    const auto step = handshake_.on_message(type, exact.view());
    ready = std::holds_alternative<Ready>(step);
    const auto* answer = std::get_if<SendBytes>(&step);
    if (answer == nullptr) return {};
    handshake_.sent();
    return answer->bytes;
  }

  // Plays an honest server's part of SCRAM up to its signature, which it gives.
  std::string hear_scram(const std::string& offer) {
    const auto initial = hear('R', offer);
    const auto first_bare = initial.substr(initial.find("n=,r="));
    const std::string server_first = "r=" + server_nonce + ",s=QUJD,i=2";
    auto final = hear('R', from_hex("0000000b") + server_first).substr(5);
    final.resize(final.find(",p="));
    const auto proof =
        compute_scram_proof("pencil", "ABC", 2, first_bare + ',' + server_first + ',' + final);
    return from_hex("0000000c") + "v=" + encode_base64(proof.server_signature);
  }

  const ServerSession& session() const { return handshake_.session(); }

  bool ready = false;

 private:
  StartupHandshake handshake_;
};

std::string refusal(const StartupParameters& given, const std::string& request) {
  return tests::message_of<AuthenticationError>([&] { Dialogue(given).hear('R', request); });
}

TEST(StartupHandshake, StartsWithTheStartupMessageWhenTlsIsNotWanted) {
  auto given = parameters();
  given.replication = true;
  given.settings = {{"DateStyle", "ISO"}};
  StartupHandshake handshake(given);
  const auto step = handshake.start();
  EXPECT_EQ(std::get<SendBytes>(step).bytes.substr(8),
            std::string("user\0me\0database\0shop\0replication\0database\0DateStyle\0ISO\0\0", 58));
}

TEST(StartupHandshake, AsksForTlsFirst) {
  auto given = parameters();
  given.ask_for_tls = true;
  StartupHandshake handshake(given);
  EXPECT_EQ(std::get<SendBytes>(handshake.start()).bytes, from_hex("00000008 04d2162f"));
  EXPECT_TRUE(std::holds_alternative<ReadByte>(handshake.sent()));
  EXPECT_TRUE(std::holds_alternative<StartTls>(handshake.on_byte('S')));
  EXPECT_TRUE(std::holds_alternative<SendBytes>(handshake.on_tls({})));
}

TEST(StartupHandshake, GoesOnInClearOnlyIfTlsIsNotInsistedOn) {
  auto given = parameters();
  given.ask_for_tls = true;
  StartupHandshake lenient(given);
  lenient.start();
  lenient.sent();
  EXPECT_TRUE(std::holds_alternative<SendBytes>(lenient.on_byte('N')));

  given.insist_on_tls = true;
  StartupHandshake strict(given);
  strict.start();
  strict.sent();
  EXPECT_THROW(strict.on_byte('N'), AuthenticationError);
}

TEST(StartupHandshake, InsistingOnTlsIsAskingForIt) {
  auto given = parameters();
  given.insist_on_tls = true;
  EXPECT_EQ(std::get<SendBytes>(StartupHandshake(given).start()).bytes,
            from_hex("00000008 04d2162f"));
}

TEST(StartupHandshake, RefusesOtherAnswersToTheRequestForTls) {
  auto given = parameters();
  given.ask_for_tls = true;
  for (const char answer : std::string_view("EXH\0s", 5)) {
    StartupHandshake handshake(given);
    handshake.start();
    handshake.sent();
    if (answer == 'E') {
      EXPECT_THROW(handshake.on_byte(answer), ServerError);
    } else {
      EXPECT_THROW(handshake.on_byte(answer), ProtocolError);
    }
  }
}

TEST(StartupHandshake, ReplaysRecordedDialoguesByteForByte) {
  const std::pair<const char*, const char*> recordings[] = {
      {"startup_trust", "postgres"}, {"startup_md5", "md5_user"}, {"startup_scram", "scram_user"}};
  for (const auto& [recording, user] : recordings) {
    SCOPED_TRACE(recording);
    auto given = parameters();
    given.user = user;
    given.database = "postgres";
    StartupHandshake handshake(given);
    HandshakeStep step = handshake.start();
    for (const auto& message : tests::recorded(recording)) {
      if (message.from_server) {
        ASSERT_TRUE(std::holds_alternative<ReadMessage>(step));
        const auto frame = tests::framed(message);
        step = handshake.on_message(frame.type, frame.body);
      } else {
        ASSERT_TRUE(std::holds_alternative<SendBytes>(step));
        EXPECT_EQ(std::get<SendBytes>(step).bytes, message.bytes);
        step = handshake.sent();
      }
    }
    EXPECT_TRUE(std::holds_alternative<Ready>(step));
    EXPECT_GT(handshake.session().process_id, 0);
    EXPECT_EQ(handshake.session().cancel_key.size(), 4u);
    EXPECT_EQ(handshake.session().parameters.at("server_version").substr(0, 3), "15.");
    EXPECT_EQ(handshake.session().parameters.at("integer_datetimes"), "on");
  }
}

TEST(StartupHandshake, AnswersPasswordRequests) {
  EXPECT_EQ(Dialogue(parameters()).hear('R', cleartext), from_hex("70 0000000b 70656e63696c00"));
  EXPECT_THAT(Dialogue(parameters()).hear('R', md5), HasSubstr("md5"));
}

TEST(StartupHandshake, NeedsAPasswordOnlyWhereOneIsAskedFor) {
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

TEST(StartupHandshake, CompletesScramWithAndWithoutChannelBinding) {
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

TEST(StartupHandshake, ChoosesTheStrongestMechanismItMayUse) {
  auto given = parameters();
  given.ask_for_tls = true;
  EXPECT_THAT(Dialogue(given).hear('R', scram_plus), HasSubstr("p=tls-server-end-point,,"));
  EXPECT_THAT(Dialogue(given).hear('R', scram_only), HasSubstr("y,,n="));
  given.channel_binding = "disable";
  EXPECT_THAT(Dialogue(given).hear('R', scram_plus), HasSubstr("n,,n="));
}

TEST(StartupHandshake, DoesNotPretendToBindWithoutACertificateHash) {
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

TEST(StartupHandshake, RefusesDowngradesUnderChannelBindingRequire) {
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

TEST(StartupHandshake, RefusesPlusOnAConnectionWithoutTls) {
  EXPECT_THAT(refusal(parameters(), scram_plus), HasSubstr("without TLS"));
}

TEST(StartupHandshake, RefusesMethodsThatRequireAuthForbids) {
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

TEST(StartupHandshake, RefusesAServerThatCutsScramShort) {
  for (const int heard : {1, 2}) {
    Dialogue dialogue(parameters());
    dialogue.hear('R', scram_only);
    if (heard == 2) {
      dialogue.hear('R', from_hex("0000000b") + "r=" + server_nonce + ",s=QUJD,i=2");
    }
    EXPECT_THROW(dialogue.hear('R', ok), AuthenticationError) << heard;
  }
}

TEST(StartupHandshake, RefusesAServerThatDoesNotKnowThePassword) {
  Dialogue dialogue(parameters());
  dialogue.hear_scram(scram_only);
  const std::string forged = from_hex("0000000c") + "v=" + encode_base64(std::string(32, 'x'));
  EXPECT_THROW(dialogue.hear('R', forged), AuthenticationError);
}

TEST(StartupHandshake, RefusesASecondRequestThatFishesForThePassword) {
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

TEST(StartupHandshake, RefusesSaslMessagesOutsideOfSasl) {
  EXPECT_THROW(Dialogue(parameters()).hear('R', from_hex("0000000b 41")), ProtocolError);
  EXPECT_THROW(Dialogue(parameters()).hear('R', from_hex("0000000c 41")), ProtocolError);
  EXPECT_THROW(Dialogue(parameters()).hear('R', from_hex("00000008 41")), ProtocolError);
}

TEST(StartupHandshake, NamesMethodsThatAreNotSupported) {
  EXPECT_THAT(refusal(parameters(), from_hex("00000002")), HasSubstr("Kerberos V5"));
  EXPECT_THAT(refusal(parameters(), from_hex("00000007")), HasSubstr("GSSAPI"));
  EXPECT_THAT(refusal(parameters(), from_hex("00000009")), HasSubstr("SSPI"));
  EXPECT_THAT(refusal(parameters(), from_hex("0000004d")), HasSubstr("(77)"));
  const auto oauth = from_hex("0000000a") + std::string("OAUTHBEARER\0\0", 13);
  EXPECT_THAT(refusal(parameters(), oauth), HasSubstr("OAuth"));
  const auto other = from_hex("0000000a") + std::string("X\0Y\0\0", 5);
  EXPECT_THAT(refusal(parameters(), other), HasSubstr(": X Y"));
}

TEST(StartupHandshake, TakesNoticesAndParametersAtAnyPoint) {
  Dialogue dialogue(parameters());
  const std::string notice("SNOTICE\0Mhello\0\0", 16);
  dialogue.hear('N', notice);
  dialogue.hear('S', std::string("a\0"
                                 "1\0",
                                 4));
  dialogue.hear('R', ok);
  dialogue.hear('N', notice);
  dialogue.hear('S', std::string("a\0"
                                 "2\0",
                                 4));
  dialogue.hear('K', from_hex("00000007 0102030405060708"));
  dialogue.hear('Z', "I");
  EXPECT_TRUE(dialogue.ready);
  EXPECT_EQ(dialogue.session().parameters.at("a"), "2");
  EXPECT_EQ(dialogue.session().process_id, 7);
  EXPECT_EQ(dialogue.session().cancel_key, from_hex("0102030405060708"));
}

TEST(StartupHandshake, PassesTheServersErrorOn) {
  const std::string error("SFATAL\0VFATAL\0C28P01\0Mno\0\0", 26);
  Dialogue before(parameters());
  EXPECT_THROW(before.hear('E', error), ServerError);
  Dialogue after(parameters());
  after.hear('R', ok);
  EXPECT_EQ(tests::message_of<ServerError>([&] { after.hear('E', error); }), "FATAL 28P01: no");
}

TEST(StartupHandshake, NegotiatesNothingButVersion3) {
  EXPECT_NO_THROW(Dialogue(parameters()).hear('v', from_hex("00030000 00000000")));
  EXPECT_THROW(Dialogue(parameters()).hear('v', from_hex("00030000 00000001 5f70715f2e6100")),
               ProtocolError);
}

TEST(StartupHandshake, RefusesMessagesThatDoNotBelongHere) {
  EXPECT_EQ(tests::message_of<ProtocolError>([] { Dialogue(parameters()).hear('D', ""); }),
            "start-up: unexpected DataRow ('D')");
  EXPECT_THROW(Dialogue(parameters()).hear('Z', "I"), ProtocolError);  // before AuthenticationOk
  EXPECT_THROW(Dialogue(parameters()).hear('R', ""), ProtocolError);
}

TEST(StartupHandshake, BoundsWhatAStrangerMayMakeItKeep) {
  Dialogue dialogue(parameters());
  EXPECT_THROW(
      {
        for (int i = 0; i < 2000; ++i) {
          dialogue.hear('S', std::to_string(i) + std::string("\0\0", 2));
        }
      },
      ProtocolError);
}

TEST(StartupHandshake, RefusesSettingsItDoesNotKnow) {
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

TEST(StartupHandshake, RefusesToBeCalledOutOfOrder) {
  StartupHandshake handshake(parameters());
  EXPECT_THROW(handshake.sent(), std::logic_error);
  EXPECT_THROW(handshake.on_byte('S'), std::logic_error);
  EXPECT_THROW(handshake.on_tls({}), std::logic_error);
  EXPECT_THROW(handshake.on_message('R', ok), std::logic_error);
  handshake.start();
  EXPECT_THROW(handshake.start(), std::logic_error);
}

}  // namespace
}  // namespace pgcourier::protocol
