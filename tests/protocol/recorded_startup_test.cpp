// Start-ups of real servers, from the first byte to ReadyForQuery.
#include <gtest/gtest.h>

#include <tuple>

#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

struct Startup {
  const char* recording;
  const char* user;
  std::uint32_t version = protocol_3_0;
};
constexpr Startup startups[] = {{"startup_trust", "postgres"},
                                {"startup_password", "password_user"},
                                {"startup_md5", "md5_user"},
                                {"startup_scram", "scram_user"},
                                {"startup_3_2", "postgres", protocol_3_2}};

class RecordedStartup : public testing::TestWithParam<std::tuple<int, Startup>> {
 protected:
  int major() const { return std::get<0>(GetParam()); }
  const Startup& startup() const { return std::get<1>(GetParam()); }
  std::vector<tests::RecordedMessage> messages() const {
    return tests::recorded(tests::of_major(startup().recording, major()));
  }
  StartupHandshake begin() const {
    auto given = parameters();
    given.user = startup().user;
    given.database = "postgres";
    given.max_protocol_version = startup().version;
    return StartupHandshake(given);
  }
};

// The next message as it was, or what the server says with another type.
void play(StartupHandshake& handshake, HandshakeStep& step, const tests::RecordedMessage& message,
          char other_type = '\0') {
  if (message.from_server) {
    ASSERT_TRUE(std::holds_alternative<ReadMessage>(step));
    const auto frame = tests::framed(message);
    const tests::ExactBuffer body(frame.body);
    step = handshake.on_message(other_type == '\0' ? frame.type : other_type, body.view());
  } else {
    ASSERT_TRUE(std::holds_alternative<SendBytes>(step));
    EXPECT_EQ(std::get<SendBytes>(step).bytes, message.bytes);
    step = handshake.sent();
  }
}

TEST_P(RecordedStartup, IsReplayedByteForByte) {
  StartupHandshake handshake = begin();
  HandshakeStep step = handshake.start();
  for (const auto& message : messages()) play(handshake, step, message);
  EXPECT_TRUE(std::holds_alternative<Ready>(step));
  const auto& session = handshake.session();
  const bool spoke_3_2 = startup().version == protocol_3_2 && major() >= 18;
  EXPECT_EQ(session.protocol_version, spoke_3_2 ? protocol_3_2 : protocol_3_0);
  EXPECT_EQ(session.cancel_key.size(), spoke_3_2 ? 32u : 4u);
  EXPECT_GT(session.process_id, 0);
  EXPECT_TRUE(session.parameters.at("server_version").starts_with(std::to_string(major()) + '.'));
  EXPECT_EQ(session.parameters.at("integer_datetimes"), "on");
}

TEST_P(RecordedStartup, RefusesMessagesOfOtherFlowsAtEveryStep) {
  const auto recording = messages();
  for (std::size_t at = 0; at < recording.size(); ++at) {
    if (!recording[at].from_server) continue;
    for (const char type : {'x', 'D'}) {
      StartupHandshake handshake = begin();
      HandshakeStep step = handshake.start();
      for (std::size_t i = 0; i < at; ++i) play(handshake, step, recording[i]);
      EXPECT_THROW(play(handshake, step, recording[at], type), ProtocolError) << at << type;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedStartup,
                         testing::Combine(testing::ValuesIn(tests::recorded_majors),
                                          testing::ValuesIn(startups)),
                         [](const auto& instance) {
                           return tests::of_major(std::get<1>(instance.param).recording,
                                                  std::get<0>(instance.param));
                         });

}  // namespace
}  // namespace pgcourier::protocol
