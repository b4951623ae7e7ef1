// What libpq 18.4 does with each answer, observed with a server that gave it.
#include "protocol/version_negotiation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/server_error.hpp"
#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

using testing::HasSubstr;

StartupParameters versions(std::uint32_t oldest, std::uint32_t newest) {
  auto given = parameters();
  given.min_protocol_version = oldest;
  given.max_protocol_version = newest;
  return given;
}

const StartupParameters any_version = versions(protocol_3_0, protocol_3_2);
const std::string offers_3_0 = from_hex("00030000 00000000");

std::string key(std::size_t bytes) { return from_hex("00000007") + std::string(bytes, 'k'); }

TEST(VersionNegotiation, AsksForTheNewestThatIsAllowed) {
  for (const auto version : {protocol_3_0, protocol_3_2}) {
    StartupHandshake handshake(versions(protocol_3_0, version));
    const auto step = handshake.start();
    EXPECT_EQ(std::get<SendBytes>(step).bytes.substr(4, 4),
              from_hex(version == protocol_3_0 ? "00030000" : "00030002"));
  }
}

TEST(VersionNegotiation, TakesSilenceForConsent) {
  Dialogue dialogue(any_version);
  dialogue.hear('R', ok);
  dialogue.hear('K', key(32));
  dialogue.hear('Z', "I");
  EXPECT_EQ(dialogue.session().protocol_version, protocol_3_2);
  EXPECT_EQ(dialogue.session().cancel_key.size(), 32U);
}

TEST(VersionNegotiation, GoesBackToWhatTheServerKnows) {
  for (const bool after_request : {false, true}) {
    Dialogue dialogue(any_version);
    if (after_request) dialogue.hear('R', cleartext);
    dialogue.hear('v', offers_3_0);
    dialogue.hear('R', ok);
    dialogue.hear('K', key(4));
    dialogue.hear('Z', "I");
    EXPECT_TRUE(dialogue.ready);
    EXPECT_EQ(dialogue.session().protocol_version, protocol_3_0);
  }
}

TEST(VersionNegotiation, GoesBackNoFurtherThanItMay) {
  EXPECT_THAT(tests::message_of<AuthenticationError>(
                  [] { Dialogue(versions(protocol_3_2, protocol_3_2)).hear('v', offers_3_0); }),
              HasSubstr("speaks version 3.0 of the protocol at most, but min_protocol_version is "
                        "3.2"));
}

TEST(VersionNegotiation, RefusesAnAnswerThatMakesNoSense) {
  const auto reason = [](const StartupParameters& given, const char* answer) {
    return tests::message_of<ProtocolError>([&] { Dialogue(given).hear('v', from_hex(answer)); });
  };
  EXPECT_THAT(reason(any_version, "00030002 00000000"), HasSubstr("asks for no change"));
  EXPECT_THAT(reason(parameters(), "00030000 00000000"), HasSubstr("asks for no change"));
  for (const char* version :
       {"00030003", "00040000", "00030001", "00020000", "00000000", "00000002", "ffffffff"}) {
    EXPECT_THAT(reason(any_version, (std::string(version) + "00000000").c_str()),
                HasSubstr("was asked for"));
  }
  for (const char* option : {"00030000 00000001 5f70715f2e6100", "00030002 00000001 5f70715f2e6100",
                             "00030000 00000001 6100"}) {
    EXPECT_THAT(reason(any_version, option), HasSubstr("an option that was not sent"));
  }
}

TEST(VersionNegotiation, RefusesAnAnswerThatComesTwiceOrLate) {
  Dialogue twice(any_version);
  twice.hear('v', offers_3_0);
  EXPECT_THROW(twice.hear('v', offers_3_0), ProtocolError);
  Dialogue late(any_version);
  late.hear('R', ok);
  EXPECT_THROW(late.hear('v', offers_3_0), ProtocolError);
}

TEST(VersionNegotiation, BoundsTheCancelKeyByTheVersion) {
  const auto takes = [](const StartupParameters& given, std::size_t bytes) {
    Dialogue dialogue(given);
    dialogue.hear('R', ok);
    try {
      dialogue.hear('K', key(bytes));
      return true;
    } catch (const ProtocolError&) {
      return false;
    }
  };
  for (const std::size_t bytes : {0U, 3U, 5U, 32U, 256U, 257U}) {
    EXPECT_FALSE(takes(parameters(), bytes)) << bytes;
    EXPECT_EQ(takes(any_version, bytes), bytes >= 4 && bytes <= 256) << bytes;
  }
  EXPECT_TRUE(takes(parameters(), 4));
  EXPECT_TRUE(takes(any_version, 4));
}

TEST(VersionNegotiation, RefusesAKeyBeforeTheVersionIsSettled) {
  EXPECT_THROW(Dialogue(any_version).hear('K', key(32)), ProtocolError);
}

}  // namespace
}  // namespace pgcourier::protocol
