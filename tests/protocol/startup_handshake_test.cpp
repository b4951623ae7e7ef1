#include "protocol/startup_handshake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/server_error.hpp"
#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

TEST(StartupHandshake, StartsWithTheStartupMessageWhenTlsIsNotWanted) {
  auto given = parameters();
  given.walsender = Walsender::database;
  given.settings = {{"DateStyle", "ISO"}};
  StartupHandshake handshake(given);
  const auto step = handshake.start();
  EXPECT_EQ(std::get<SendBytes>(step).bytes.substr(8),
            std::string("user\0me\0database\0shop\0replication\0database\0DateStyle\0ISO\0\0", 58));
}

TEST(StartupHandshake, AsksForAPhysicalWalsender) {
  auto given = parameters();
  given.walsender = Walsender::physical;
  StartupHandshake handshake(given);
  const auto step = handshake.start();
  EXPECT_EQ(std::get<SendBytes>(step).bytes.substr(8),
            std::string("user\0me\0database\0shop\0replication\0true\0\0", 40));
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

TEST(StartupHandshake, StartsTlsWithoutAskingWhereItIsDirect) {
  auto given = parameters();
  given.insist_on_tls = true;
  given.direct_tls = true;
  StartupHandshake handshake(given);
  EXPECT_TRUE(std::holds_alternative<StartTls>(handshake.start()));
  EXPECT_THROW(handshake.on_byte('N'), std::logic_error);
  EXPECT_EQ(std::get<SendBytes>(handshake.on_tls({})).bytes.substr(4, 4), from_hex("00030000"));
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

TEST(StartupHandshake, TakesParametersOnceLetIn) {
  auto given = parameters();
  given.max_protocol_version = protocol_3_2;
  Dialogue dialogue(given);
  dialogue.hear('R', ok);
  dialogue.hear('S', std::string("a\0"
                                 "1\0",
                                 4));
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

TEST(StartupHandshake, TakesAnErrorWithoutALengthForAServerThatCannotServe) {
  StartupHandshake handshake(parameters());
  EXPECT_THROW(handshake.on_unframed_error("too early"), std::logic_error);
  handshake.start();
  handshake.sent();
  EXPECT_EQ(tests::message_of<ServerError>(
                [&] { handshake.on_unframed_error("could not fork: no memory\n"); }),
            "FATAL 57P03: could not fork: no memory");
  EXPECT_EQ(tests::message_of<ServerError>([&] { handshake.on_unframed_error("\n"); }),
            "FATAL 57P03: ");
}

TEST(StartupHandshake, RefusesMessagesThatDoNotBelongHere) {
  EXPECT_EQ(tests::message_of<ProtocolError>([] { Dialogue(parameters()).hear('D', ""); }),
            "start-up: unexpected DataRow ('D')");
  EXPECT_THROW(Dialogue(parameters()).hear('Z', "I"), ProtocolError);  // before AuthenticationOk
  EXPECT_THROW(Dialogue(parameters()).hear('S', std::string("a\0001\0", 4)), ProtocolError);
  EXPECT_THROW(Dialogue(parameters()).hear('R', ""), ProtocolError);
}

TEST(StartupHandshake, BoundsWhatAStrangerMayMakeItKeep) {
  Dialogue dialogue(parameters());
  dialogue.hear('R', ok);
  EXPECT_THROW(
      {
        for (int i = 0; i < 2000; ++i) {
          dialogue.hear('S', std::to_string(i) + std::string("\0\0", 2));
        }
      },
      ProtocolError);
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
