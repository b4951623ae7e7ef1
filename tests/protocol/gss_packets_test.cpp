#include "protocol/gss_packets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::HasSubstr;
using tests::from_hex;

TEST(GssPackets, HoldALengthThatDoesNotCountItself) {
  std::string out = "before";
  append_gss_packet(out, "abc", max_gss_packet_bytes);
  EXPECT_EQ(out, "before" + from_hex("00000003 616263"));
  const tests::ExactBuffer exact(from_hex("00000003 616263"));
  EXPECT_EQ(frame_gss_packet(exact.view(), max_gss_packet_bytes), "abc");
}

TEST(GssPackets, LeaveWhatFollowsAlone) {
  EXPECT_EQ(frame_gss_packet(from_hex("00000001 61 00000001 62"), max_gss_packet_bytes), "a");
  EXPECT_EQ(frame_gss_packet(from_hex("00000000 62"), max_gss_packet_bytes), "");
}

TEST(GssPackets, AreNotThereUntilTheyAreWhole) {
  const std::string whole = from_hex("00000003 616263");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const tests::ExactBuffer exact(whole.substr(0, size));
    EXPECT_EQ(frame_gss_packet(exact.view(), max_gss_packet_bytes), std::nullopt) << size;
  }
}

TEST(GssPackets, AreRefusedByTheirLengthAlone) {
  EXPECT_EQ(frame_gss_packet(from_hex("00003ffc"), max_gss_packet_bytes), std::nullopt);
  for (const char* length : {"00003ffd", "7fffffff", "80000000", "ffffffff", "45000000"}) {
    const auto refusal = tests::message_of<ProtocolError>(
        [&] { frame_gss_packet(from_hex(length), max_gss_packet_bytes); });
    EXPECT_THAT(refusal, HasSubstr("more than the limit of 16380")) << length;
  }
  EXPECT_EQ(frame_gss_packet(from_hex("0000fffc"), max_gss_token_packet_bytes), std::nullopt);
  EXPECT_THROW(frame_gss_packet(from_hex("0000fffd"), max_gss_token_packet_bytes), ProtocolError);
}

TEST(GssPackets, AreNeverSentLongerThanAServerTakes) {
  std::string out;
  append_gss_packet(out, std::string(16380, 'x'), max_gss_packet_bytes);
  EXPECT_EQ(out.size(), 16384U);
  EXPECT_THROW(append_gss_packet(out, std::string(16381, 'x'), max_gss_packet_bytes),
               std::length_error);
}

// Tokens of the two libraries, and then what was encrypted.
TEST(RecordedGssPackets, AreCutAsTheyWereSent) {
  const auto recording = tests::recorded("startup_gss_encrypted_15");
  ASSERT_EQ(recording.size(), 6U);
  EXPECT_EQ(recording[1].bytes, "G");
  for (std::size_t i = 2; i < recording.size(); ++i) {
    const std::string& packet = recording[i].bytes;
    for (std::size_t size = 0; size < packet.size(); ++size) {
      const tests::ExactBuffer cut(packet.substr(0, size));
      EXPECT_EQ(frame_gss_packet(cut.view(), max_gss_packet_bytes), std::nullopt) << size;
    }
    const tests::ExactBuffer exact(packet);
    const auto wrapped = frame_gss_packet(exact.view(), max_gss_packet_bytes);
    ASSERT_TRUE(wrapped);
    std::string again;
    append_gss_packet(again, *wrapped, max_gss_packet_bytes);
    EXPECT_EQ(again, packet);
  }
}

}  // namespace
}  // namespace pgcourier::protocol
