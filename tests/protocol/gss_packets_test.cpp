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

}  // namespace
}  // namespace pgcourier::protocol
