// Start-ups of real servers, from the first byte to ReadyForQuery or to the refusal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <tuple>

#include "protocol/backend_messages.hpp"
#include "protocol/server_error.hpp"
#include "tests/protocol/startup_dialogue.hpp"

namespace pgcourier::protocol {
namespace {

constexpr const char* validated_token = "let-in.oauth_user";
constexpr const char* refused_token = "turned-away";

struct Startup {
  const char* recording;
  const char* user;
  std::uint32_t version = protocol_3_0;
  int first_major = 14;
  int last_major = 18;
};
// Debian's 15 is the one that can do GSSAPI.
constexpr Startup startups[] = {{"startup_trust", "postgres"},
                                {"startup_password", "password_user"},
                                {"startup_md5", "md5_user"},
                                {"startup_scram", "scram_user"},
                                {"startup_scram_plus", "scram_user"},
                                {"startup_3_2", "postgres", protocol_3_2},
                                {"startup_gss", "gss_user", protocol_3_0, 15, 15},
                                {"startup_oauth", "oauth_user", protocol_3_0, 18, 18}};
constexpr Startup refusals[] = {
    {"startup_refused", "scram_user"},
    {"startup_oauth_refused", "oauth_user", protocol_3_0, 18, 18},
};

using StartupOfMajor = std::tuple<int, Startup>;

template <std::size_t count>
std::vector<StartupOfMajor> of_each_major(const Startup (&given)[count]) {
  std::vector<StartupOfMajor> all;
  for (const auto& startup : given) {
    for (int major = startup.first_major; major <= startup.last_major; ++major) {
      all.emplace_back(major, startup);
    }
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<StartupOfMajor>& instance) {
  return tests::of_major(std::get<1>(instance.param).recording, std::get<0>(instance.param));
}

using Recording = std::vector<tests::RecordedMessage>;

// Which the client told in its last message of SCRAM, and the server believed.
std::string certificate_hash(const Recording& recording) {
  constexpr std::string_view header = "p=tls-server-end-point,,";
  for (const auto& message : recording) {
    const auto at = message.bytes.find("c=");
    if (message.from_server || message.bytes[0] != 'p' || at == std::string::npos) continue;
    const auto binding = message.bytes.substr(at + 2, message.bytes.find(',', at) - at - 2);
    return decode_base64(binding).value().substr(header.size());
  }
  throw std::runtime_error("nobody bound the channel");
}

// The client of a recording, whose server says it again.
class Replay {
 public:
  Replay(const Startup& startup, const Recording& recording)
      : recording_(recording), handshake_(given(startup, recording)) {
    const bool refused = std::string_view(startup.recording).ends_with("_refused");
    token_ = refused ? refused_token : validated_token;
  }

  // Messages before `end`.
  void play_until(std::size_t end) {
    while (at_ < end) play();
  }
  void play_all() { play_until(recording_.size()); }

  // The next message as it was, or what the server says with another type.
  void play(char other_type = '\0') {
    const auto& message = recording_.at(at_++);
    do_as_recorded(message);
    if (!message.from_server) {
      ASSERT_TRUE(std::holds_alternative<SendBytes>(step_));
      EXPECT_EQ(std::get<SendBytes>(step_).bytes, message.bytes);
      step_ = handshake_.sent();
    } else if (tests::is_one_byte(message)) {
      ASSERT_TRUE(std::holds_alternative<ReadByte>(step_));
      step_ = handshake_.on_byte(other_type == '\0' ? message.bytes[0] : other_type);
    } else {
      ASSERT_TRUE(std::holds_alternative<ReadMessage>(step_));
      const auto frame = tests::framed(message);
      const tests::ExactBuffer body(frame.body);
      step_ = handshake_.on_message(other_type == '\0' ? frame.type : other_type, body.view());
    }
  }

  bool ready() const { return std::holds_alternative<Ready>(step_); }
  const ServerSession& session() const { return handshake_.session(); }

 private:
  static StartupParameters given(const Startup& startup, const Recording& recording) {
    auto given = parameters();
    given.user = startup.user;
    given.database = "postgres";
    given.max_protocol_version = startup.version;
    given.ask_for_tls = recording.size() > 1 && tests::is_one_byte(recording[1]);
    given.has_oauth_token = given.unix_socket = true;
    if (std::string_view(startup.recording) == "startup_refused") given.password = "pen";
    return given;
  }

  // What the handshake asks of TLS, of the Kerberos library, of who has the token.
  void do_as_recorded(const tests::RecordedMessage& message) {
    if (std::holds_alternative<StartTls>(step_)) {
      step_ = handshake_.on_tls(certificate_hash(recording_));
    } else if (std::holds_alternative<GetToken>(step_)) {
      step_ = handshake_.on_token(token_);
    } else if (auto* salt = std::get_if<SaltPassword>(&step_)) {
      step_ = handshake_.on_salted_password(salted_at_once(std::move(salt->salting)));
    } else if (std::holds_alternative<AskGss>(step_)) {
      const auto token = message.from_server ? ByteView() : tests::framed(message).body;
      step_ = handshake_.on_gss_token(token, message.from_server);
    }
  }

  const Recording& recording_;
  std::string token_;
  StartupHandshake handshake_;
  HandshakeStep step_ = handshake_.start();
  std::size_t at_ = 0;
};

class RecordedStartup : public testing::TestWithParam<StartupOfMajor> {
 protected:
  int major() const { return std::get<0>(GetParam()); }
  const Startup& startup() const { return std::get<1>(GetParam()); }
  Recording recording_ = tests::recorded(tests::of_major(startup().recording, major()));
};

TEST_P(RecordedStartup, IsReplayedByteForByte) {
  Replay replay(startup(), recording_);
  replay.play_all();
  EXPECT_TRUE(replay.ready());
  const auto& session = replay.session();
  const bool spoke_3_2 = startup().version == protocol_3_2 && major() >= 18;
  EXPECT_EQ(session.protocol_version, spoke_3_2 ? protocol_3_2 : protocol_3_0);
  EXPECT_EQ(session.cancel_key.size(), spoke_3_2 ? 32u : 4u);
  EXPECT_GT(session.process_id, 0);
  EXPECT_TRUE(session.parameters.at("server_version").starts_with(std::to_string(major()) + '.'));
  EXPECT_EQ(session.parameters.at("integer_datetimes"), "on");
}

TEST_P(RecordedStartup, RefusesMessagesOfOtherFlowsAtEveryStep) {
  for (std::size_t at = 0; at < recording_.size(); ++at) {
    if (!recording_[at].from_server) continue;
    for (const char type : {'x', 'D'}) {
      Replay replay(startup(), recording_);
      replay.play_until(at);
      EXPECT_THROW(replay.play(type), ProtocolError) << at << type;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedStartup, testing::ValuesIn(of_each_major(startups)),
                         name_of);

using RecordedRefusal = RecordedStartup;

TEST_P(RecordedRefusal, IsTheServersLastWord) {
  Replay replay(startup(), recording_);
  replay.play_until(recording_.size() - 1);
  const auto fields = read_server_fields(tests::framed(recording_.back()).body);
  EXPECT_EQ(fields.severity_unlocalized, "FATAL");
  if (std::string_view(startup().recording) == "startup_refused") {
    EXPECT_EQ(fields.sqlstate, "28P01");
    EXPECT_THROW(replay.play(), ServerError);
  } else {
    EXPECT_EQ(fields.sqlstate, "28000");
    const auto refusal = tests::message_of<AuthenticationError>([&] { replay.play(); });
    EXPECT_THAT(refusal, testing::HasSubstr("invalid_token"));
    EXPECT_THAT(refusal, testing::Not(testing::HasSubstr(refused_token)));
  }
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedRefusal, testing::ValuesIn(of_each_major(refusals)),
                         name_of);

}  // namespace
}  // namespace pgcourier::protocol
