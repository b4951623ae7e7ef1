// The dialogues of tests/fixtures/protocol/*.hex, and how strict a decoder must be.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/message_framer.hpp"
#include "protocol/protocol_error.hpp"
#include "tests/support/hex.hpp"

namespace pgcourier::tests {

struct RecordedMessage {
  bool from_server = false;
  std::string bytes;  // type and length included
};

// `name` without folder and ".hex". Throws std::runtime_error if there is no such recording.
std::vector<RecordedMessage> recorded(std::string_view name);

// The type byte and the body of a recorded message.
protocol::FramedMessage framed(const RecordedMessage& message);

// The answer to SSLRequest or GSSENCRequest, which has neither type nor length.
inline bool is_one_byte(const RecordedMessage& message) { return message.bytes.size() == 1; }

// The majors that record, record_startups and record_streamed were run with.
inline constexpr int recorded_majors[] = {14, 15, 16, 17, 18};

// `name` of the major's server: "queries", 15 → "queries_15".
std::string of_major(std::string_view name, int major);

constexpr std::size_t not_open = std::string_view::npos;

// `decode` takes `bytes`, and neither less nor more; but any length from `open_after` on, where the
// format ends with Byte_n_. The blocks have exactly their size, so AddressSanitizer sees a read
// past the end.
template <typename Decode>
void expect_strict(std::string_view bytes, Decode decode, std::size_t open_after = not_open) {
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const ExactBuffer cut(bytes.substr(0, length));
    if (length < open_after) {
      EXPECT_THROW(decode(cut.view()), protocol::ProtocolError) << "cut to " << length << " bytes";
    } else {
      EXPECT_NO_THROW(decode(cut.view())) << "cut to " << length << " bytes";
    }
  }
  const ExactBuffer whole(bytes);
  EXPECT_NO_THROW(decode(whole.view()));
  const ExactBuffer longer(std::string(bytes) + 'x');
  if (open_after == not_open) {
    EXPECT_THROW(decode(longer.view()), protocol::ProtocolError) << "one byte too many";
  } else {
    EXPECT_NO_THROW(decode(longer.view())) << "one byte more";
  }
}

// For what() of what `act` throws.
template <typename Error, typename Act>
std::string message_of(Act act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace pgcourier::tests
