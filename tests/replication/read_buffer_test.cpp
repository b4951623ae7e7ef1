#include "replication/read_buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace pgcourier::replication {
namespace {

void receive(ReadBuffer& buffer, const std::string& bytes) {
  ASSERT_LE(bytes.size(), buffer.free_bytes());
  std::memcpy(buffer.free_begin(), bytes.data(), bytes.size());
  buffer.received(bytes.size());
}

TEST(ReadBuffer, GivesWhatItReceived) {
  ReadBuffer buffer(64);
  buffer.make_room(5);
  receive(buffer, "abcdef");
  buffer.consume(2);
  EXPECT_EQ(buffer.unread(), "cdef");
}

TEST(ReadBuffer, MovesTheRestToTheFrontWhenLittleRoomIsLeft) {
  ReadBuffer buffer(64);
  receive(buffer, std::string(60, 'x') + "tail");
  buffer.consume(60);
  buffer.make_room(10);
  EXPECT_EQ(buffer.unread(), "tail");
  EXPECT_EQ(buffer.free_bytes(), 60U);
}

TEST(ReadBuffer, GrowsForALongMessageAndShrinksAfterIt) {
  ReadBuffer buffer(64);
  receive(buffer, "start");
  buffer.make_room(1000);
  EXPECT_EQ(buffer.unread(), "start");
  EXPECT_EQ(buffer.capacity(), 1000U);
  receive(buffer, std::string(995, 'x'));
  buffer.consume(990);
  buffer.make_room(5);
  EXPECT_EQ(buffer.unread(), std::string(10, 'x'));
  EXPECT_EQ(buffer.capacity(), 64U);
}

TEST(ReadBuffer, AlwaysHasRoomForTheMessageItWaitsFor) {
  for (std::size_t message = 5; message < 300; message += 7) {
    for (std::size_t consumed = 0; consumed < 64; ++consumed) {
      ReadBuffer buffer(64);
      receive(buffer, std::string(64, 'x'));
      buffer.consume(consumed);
      const std::size_t kept = 64 - consumed;
      if (kept >= message) continue;
      buffer.make_room(message);
      EXPECT_EQ(buffer.unread().size(), kept);
      EXPECT_GE(kept + buffer.free_bytes(), message);
      EXPECT_GT(buffer.free_bytes(), 0U);
    }
  }
}

}  // namespace
}  // namespace pgcourier::replication
