#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "protocol/message_framer.hpp"
#include "protocol/wire_reader.hpp"
#include "protocol/wire_writer.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using tests::from_hex;

TEST(WireReader, ReadsNetworkOrder) {
  const std::string bytes = from_hex("01 0203 04050607 08090a0b0c0d0e0f fffffffe");
  WireReader in(bytes);
  EXPECT_EQ(in.u8(), 1u);
  EXPECT_EQ(in.u16(), 0x0203u);
  EXPECT_EQ(in.u32(), 0x04050607u);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(in.i32(), -2);
  EXPECT_NO_THROW(in.finish("test"));
}

TEST(WireReader, NamesTheMessageTheReasonAndTheByte) {
  WireReader in("ab");
  in.u8();
  in.u32();
  EXPECT_EQ(tests::message_of<ProtocolError>([&] { in.finish("Begin"); }),
            "Begin: the message ends too early at byte 1");
}

TEST(WireReader, GivesNothingAfterTheFirstFailure) {
  WireReader in("abcdef");
  in.fail("first");
  in.fail("second");
  EXPECT_EQ(in.u8(), 0u);
  EXPECT_TRUE(in.rest().empty());
  EXPECT_EQ(tests::message_of<ProtocolError>([&] { in.finish("X"); }), "X: first at byte 0");
}

TEST(WireReader, RefusesAStringWithoutItsEnd) {
  WireReader in("abc");
  in.c_string();
  EXPECT_FALSE(in.ok());
}

TEST(WireReader, RefusesLeftOverBytes) {
  WireReader in("abc");
  in.u8();
  EXPECT_EQ(tests::message_of<ProtocolError>([&] { in.finish("X"); }),
            "X: left-over bytes at byte 1");
}

TEST(WireWriter, RefusesAZeroByteInsideAString) {
  std::string out;
  WireWriter writer(out);
  EXPECT_THROW(writer.c_string(std::string_view("a\0b", 3)), std::invalid_argument);
}

RC_GTEST_PROP(WireWriter, WritesWhatTheReaderReads,
              (std::uint8_t a, std::uint16_t b, std::uint32_t c, std::uint64_t d, std::int32_t e,
               const std::string& bytes)) {
  const auto text = *rc::gen::container<std::string>(rc::gen::nonZero<char>());
  std::string out = "before";
  WireWriter writer(out);
  writer.begin_message('x');
  writer.u8(a);
  writer.u16(b);
  writer.u32(c);
  writer.u64(d);
  writer.i32(e);
  writer.lsn(Lsn{d});
  writer.time(PgTime{e});
  writer.c_string(text);
  writer.bytes(bytes);
  writer.finish_message();

  const auto framing = frame_message(std::string_view(out).substr(6), 1 << 20);
  RC_ASSERT(framing.message.has_value());
  RC_ASSERT(framing.message->type == 'x');
  RC_ASSERT(framing.message->size == out.size() - 6);
  WireReader in(framing.message->body);
  RC_ASSERT(in.u8() == a);
  RC_ASSERT(in.u16() == b);
  RC_ASSERT(in.u32() == c);
  RC_ASSERT(in.u64() == d);
  RC_ASSERT(in.i32() == e);
  RC_ASSERT(in.lsn() == Lsn{d});
  RC_ASSERT(in.time() == PgTime{e});
  RC_ASSERT(in.c_string() == text);
  RC_ASSERT(in.rest() == bytes);
  in.finish("x");
}

TEST(MessageFramer, SaysHowManyBytesAreMissing) {
  const std::string bytes = from_hex("5a 00000005 49");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const tests::ExactBuffer cut(std::string_view(bytes).substr(0, length));
    const auto framing = frame_message(cut.view(), 100);
    EXPECT_FALSE(framing.message);
    EXPECT_EQ(framing.bytes_needed, length < 5 ? 5u : 6u);
  }
}

TEST(MessageFramer, GivesTheFirstOfSeveralMessages) {
  const std::string bytes = from_hex("5a 00000005 49 63 00000004 64");
  const auto first = frame_message(bytes, 100);
  ASSERT_TRUE(first.message);
  EXPECT_EQ(first.message->type, 'Z');
  EXPECT_EQ(first.message->body, "I");
  EXPECT_EQ(first.message->size, 6u);
  const auto second = frame_message(std::string_view(bytes).substr(6), 100);
  ASSERT_TRUE(second.message);
  EXPECT_EQ(second.message->type, 'c');
  EXPECT_TRUE(second.message->body.empty());
  EXPECT_EQ(frame_message(std::string_view(bytes).substr(11), 100).bytes_needed, 5u);
}

TEST(MessageFramer, RefusesLengthsThatCannotBe) {
  for (const auto* length : {"00000000", "00000003", "ffffffff", "80000000"}) {
    EXPECT_THROW(frame_message(from_hex(std::string("44") + length), 1 << 30), ProtocolError)
        << length;
  }
}

TEST(MessageFramer, RefusesAMessageAboveTheLimitBeforeItsBodyIsThere) {
  EXPECT_NO_THROW(frame_message(from_hex("44 00000063"), 100));
  EXPECT_THROW(frame_message(from_hex("44 00000064"), 100), ProtocolError);
}

TEST(MessageFramer, TakesAnErrorWithoutALengthAtEachCut) {
  const std::string bytes("Eno\n\0rest", 10);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const tests::ExactBuffer cut(std::string_view(bytes).substr(0, length));
    const auto framing = frame_unframed_error(cut.view(), 100);
    ASSERT_TRUE(framing);
    ASSERT_EQ(framing->message.has_value(), length >= 5) << length;
    if (framing->message) {
      EXPECT_EQ(framing->message->body, "no\n");
      EXPECT_EQ(framing->message->size, 5u);
    } else {
      EXPECT_GT(framing->bytes_needed, length);
    }
  }
}

TEST(MessageFramer, TakesNoMessageWithALengthForAnErrorWithout) {
  for (const char* bytes : {"45 00", "45 00000005 00", "45 00010000", "52", "52 6f6f00", "00"}) {
    EXPECT_FALSE(frame_unframed_error(from_hex(bytes), max_startup_message_bytes)) << bytes;
  }
}

TEST(MessageFramer, BoundsAnErrorWithoutALength) {
  const std::string text = 'E' + std::string(98, 'x');
  EXPECT_EQ(frame_unframed_error(text, 100)->bytes_needed, 100u);
  EXPECT_TRUE(frame_unframed_error(text + '\0', 100)->message);
  EXPECT_THROW(frame_unframed_error(text + 'x', 100), ProtocolError);
  EXPECT_THROW(frame_unframed_error(text + "x\0", 100), ProtocolError);
}

TEST(MessageFramer, RefusesAMessageThatIsLongerThanOneMayBe) {
  const std::string of_100 = from_hex("64 00000063");  // the type is not counted
  EXPECT_EQ(frame_message(of_100, 100).bytes_needed, 100u);
  EXPECT_THROW(frame_message(of_100, 99), ProtocolError);
}

TEST(MessageFramer, RefusesAWebServer) {
  EXPECT_THROW(frame_message("HTTP/1.1 400 Bad Request", max_startup_message_bytes), ProtocolError);
}

}  // namespace
}  // namespace pgcourier::protocol
