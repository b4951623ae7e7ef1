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

// The type byte and the body of a recorded message of the server.
protocol::FramedMessage framed(const RecordedMessage& message);

// `decode` takes `bytes`, and neither less nor more. The blocks have exactly their size, so
// AddressSanitizer sees a read past the end.
template <typename Decode>
void expect_strict(std::string_view bytes, Decode decode) {
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const ExactBuffer cut(bytes.substr(0, length));
    EXPECT_THROW(decode(cut.view()), protocol::ProtocolError) << "cut to " << length << " bytes";
  }
  const ExactBuffer whole(bytes);
  EXPECT_NO_THROW(decode(whole.view()));
  const ExactBuffer longer(std::string(bytes) + 'x');
  EXPECT_THROW(decode(longer.view()), protocol::ProtocolError) << "one byte too many";
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
