// Every message of the recordings by itself: read exactly, and none missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "protocol/authentication_messages.hpp"
#include "protocol/backend_messages.hpp"
#include "protocol/base_backup_messages.hpp"
#include "protocol/query_messages.hpp"
#include "protocol/replication_messages.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using tests::expect_strict;
using tests::not_open;

// What CopyData carries in a dialogue.
enum class Copies { table, stream, backup };
struct Recording {
  const char* name;
  int first_major = 14;
  Copies copies = Copies::table;
  int last_major = 18;
};
// GSSAPI is Debian's 15 alone.
constexpr Recording recordings[] = {{"startup_trust"},
                                    {"startup_password"},
                                    {"startup_md5"},
                                    {"startup_scram"},
                                    {"startup_scram_plus"},
                                    {"startup_gss", 15, Copies::table, 15},
                                    {"startup_oauth", 18},
                                    {"startup_oauth_refused", 18},
                                    {"startup_refused"},
                                    {"startup_3_2"},
                                    {"startup_option"},
                                    {"queries"},
                                    {"terminated"},
                                    {"physical", 14, Copies::stream},
                                    {"timeline_history", 14, Copies::stream},
                                    {"pgoutput", 14, Copies::stream},
                                    {"pgoutput_binary", 14, Copies::stream},
                                    {"streaming", 14, Copies::stream},
                                    {"parallel", 16, Copies::stream},
                                    {"two_phase", 15, Copies::stream},
                                    {"base_backup", 15, Copies::backup},
                                    {"upload_manifest", 17, Copies::backup}};

class RecordedMessages : public testing::TestWithParam<int> {
 protected:
  // `visit`: the recording and a message of the server, framed.
  template <typename Visit>
  static void for_each_message(Visit visit) {
    for (const auto& recording : recordings) {
      if (GetParam() < recording.first_major || GetParam() > recording.last_major) continue;
      const auto name = tests::of_major(recording.name, GetParam());
      SCOPED_TRACE(name);
      for (const auto& message : tests::recorded(name)) {
        if (!message.from_server || tests::is_one_byte(message)) continue;
        visit(recording, tests::framed(message));
      }
    }
  }
};

void read_body(char type, ByteView body) {
  std::vector<std::optional<ByteView>> values;
  switch (type) {
    case 'R':
      read_authentication(body);
      break;
    case 'K':
      read_backend_key_data(body);
      break;
    case 'S':
      read_parameter_status(body);
      break;
    case 'v':
      read_negotiate_protocol_version(body);
      break;
    case 'Z':
      read_ready_for_query(body);
      break;
    case 'A':
      read_notification_response(body);
      break;
    case 'E':
    case 'N':
      read_server_fields(body);
      break;
    case 'T':
      read_row_description(body);
      break;
    case 'D':
      read_data_row(body, values);
      break;
    case 'C':
      read_command_complete(body);
      break;
    case 't':
      read_parameter_description(body);
      break;
    case 'V':
      read_function_call_response(body);
      break;
    case 'G':
    case 'H':
    case 'W':
      read_copy_response(body);
      break;
    default:
      read_empty_message(body, describe_backend_message(type));
  }
}

// From which length on any is right: Byte_n_ without a count ends these messages, and only these.
std::size_t open_after(char type, ByteView body) {
  constexpr std::size_t gss_continue = 8;
  constexpr std::size_t sasl_continue = 11;
  constexpr std::size_t sasl_final = 12;
  if (type == 'K') return 8;  // a key of 4 bytes or more
  if (type != 'R') return not_open;
  const std::uint32_t code = WireReader(body).u32();
  return code == gss_continue || code == sasl_continue || code == sasl_final ? 4 : not_open;
}

void expect_strict_copy_data(Copies copies, ByteView body) {
  if (copies == Copies::backup) {
    expect_strict(body, read_backup_message, body[0] == 'd' ? 1 : not_open);
  } else if (copies == Copies::stream && body[0] == xlog_data_type) {
    constexpr std::size_t head_bytes = 25;
    expect_strict(body.substr(0, 100), read_xlog_data, head_bytes);
  } else if (copies == Copies::stream) {
    expect_strict(body, read_primary_keepalive);
  }
}

TEST_P(RecordedMessages, AreReadExactly) {
  for_each_message([](const Recording& recording, const FramedMessage& message) {
    SCOPED_TRACE(describe_backend_message(message.type));
    if (message.type == 'd') {
      expect_strict_copy_data(recording.copies, message.body);
    } else {
      expect_strict(
          message.body, [&](ByteView body) { read_body(message.type, body); },
          open_after(message.type, message.body));
    }
  });
}

// Inside of CopyData the type is the reader's own to check.
TEST_P(RecordedMessages, AreNotTakenForOthersOfTheStream) {
  std::set<char> seen;
  for_each_message([&](const Recording& recording, const FramedMessage& message) {
    if (message.type != 'd' || recording.copies != Copies::stream) return;
    if (!seen.insert(message.body[0]).second) return;  // one of each type is enough
    std::string body(message.body);
    for (int type = 0; type < 256; ++type) {
      body[0] = static_cast<char>(type);
      if (body[0] != xlog_data_type) {
        EXPECT_THROW(read_xlog_data(body), ProtocolError);
      }
      if (body[0] != primary_keepalive_type) {
        EXPECT_THROW(read_primary_keepalive(body), ProtocolError);
      }
    }
  });
}

std::set<char> types(std::string_view letters) { return {letters.begin(), letters.end()}; }

// §55.7, and what is inside of CopyData: §55.4 and §55.9.
TEST_P(RecordedMessages, HaveEveryTypeThatTheServerHas) {
  std::set<char> session, stream, backup, pgoutput;
  std::set<std::uint32_t> authentication;
  std::set<std::string> mechanisms, severities;
  for_each_message([&](const Recording& recording, const FramedMessage& message) {
    session.insert(message.type);
    if (message.type == 'R') {
      authentication.insert(WireReader(message.body).u32());
      const auto request = read_authentication(message.body);
      const auto* sasl = std::get_if<AuthenticationSASL>(&request);
      if (sasl != nullptr) mechanisms.insert(sasl->mechanisms.begin(), sasl->mechanisms.end());
    } else if (message.type == 'E') {
      severities.insert(read_server_fields(message.body).severity_unlocalized);
    }
    if (message.type != 'd') return;
    if (recording.copies == Copies::backup) backup.insert(message.body[0]);
    if (recording.copies != Copies::stream) return;
    stream.insert(message.body[0]);
    const std::string_view name = recording.name;
    if (message.body[0] == xlog_data_type && name != "physical" && name != "timeline_history") {
      pgoutput.insert(read_xlog_data(message.body).payload[0]);
    }
  });
  EXPECT_EQ(session, types("RKSvZAENTDCI123ntsGHWdcV"));
  std::set<std::uint32_t> requests{0, 3, 5, 10, 11, 12};
  if (GetParam() == 15) requests.insert({7, 8});
  EXPECT_EQ(authentication, requests);
  std::set<std::string> known_mechanisms{"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};
  if (GetParam() >= 18) known_mechanisms.insert("OAUTHBEARER");
  EXPECT_EQ(mechanisms, known_mechanisms);
  EXPECT_EQ(severities, (std::set<std::string>{"ERROR", "FATAL"}));
  EXPECT_EQ(stream, types("wk"));
  const bool has_two_phase_and_typed_backups = GetParam() >= 15;
  EXPECT_EQ(backup, types(has_two_phase_and_typed_backups ? "nmdp" : ""));
  EXPECT_EQ(pgoutput,
            types(has_two_phase_and_typed_backups ? "BCORYIUDTMSEcAbPKrp" : "BCORYIUDTMSEcA"));
}

// ReadyForQuery, the fields of errors and notices, NULL, and both formats.
TEST_P(RecordedMessages, HaveEveryVariant) {
  std::set<char> statuses, error_fields, notice_fields;
  std::set<FormatCode> formats, copy_formats;
  std::set<bool> null_values, null_results;
  std::vector<std::optional<ByteView>> values;
  for (const auto& message : tests::recorded(tests::of_major("queries", GetParam()))) {
    if (!message.from_server) continue;
    const auto frame = tests::framed(message);
    if (frame.type == 'Z') statuses.insert(frame.body[0]);
    if (frame.type == 'E' || frame.type == 'N') {
      WireReader in(frame.body);
      for (char code = static_cast<char>(in.u8()); code != '\0';
           code = static_cast<char>(in.u8())) {
        (frame.type == 'E' ? error_fields : notice_fields).insert(code);
        in.c_string();
      }
      EXPECT_TRUE(read_server_fields(frame.body).other.empty());
    }
    if (frame.type == 'T') {
      for (const auto& field : read_row_description(frame.body).fields)
        formats.insert(field.format);
    }
    if (frame.type == 'H') copy_formats.insert(read_copy_response(frame.body).format);
    if (frame.type == 'D') {
      read_data_row(frame.body, values);
      for (const auto& value : values) null_values.insert(!value);
    }
    if (frame.type == 'V') null_results.insert(!read_function_call_response(frame.body).value);
  }
  EXPECT_EQ(statuses, types("ITE"));
  EXPECT_EQ(error_fields, types("SVCMDPpqWstcdnFLR"));
  EXPECT_EQ(notice_fields, types("SVCMDHWstcdnFLR"));
  EXPECT_EQ(formats, (std::set{FormatCode::text, FormatCode::binary}));
  EXPECT_EQ(copy_formats, (std::set{FormatCode::text, FormatCode::binary}));
  EXPECT_EQ(null_values, (std::set{false, true}));
  EXPECT_EQ(null_results, (std::set{false, true}));
}

TEST_P(RecordedMessages, HaveTheFieldsOfAUniqueViolation) {
  bool seen = false;
  for (const auto& message : tests::recorded(tests::of_major("queries", GetParam()))) {
    if (!message.from_server || tests::framed(message).type != 'E') continue;
    const auto fields = read_server_fields(tests::framed(message).body);
    if (fields.sqlstate != "23505") continue;
    seen = true;
    EXPECT_EQ(fields.severity_unlocalized, "ERROR");
    EXPECT_EQ(fields.schema_name, "public");
    EXPECT_EQ(fields.table_name, "plain");
    EXPECT_EQ(fields.constraint_name, "plain_pkey");
    EXPECT_EQ(fields.detail, "Key (id)=(50) already exists.");
    EXPECT_EQ(fields.routine, "_bt_check_unique");
  }
  EXPECT_TRUE(seen);
}

TEST_P(RecordedMessages, NameTheOptionThatTheServerDoesNotKnow) {
  bool seen = false;
  for (const auto& message : tests::recorded(tests::of_major("startup_option", GetParam()))) {
    if (!message.from_server || tests::framed(message).type != 'v') continue;
    seen = true;
    const auto frame = tests::framed(message);
    const auto negotiation = read_negotiate_protocol_version(frame.body);
    EXPECT_EQ(negotiation.newest_version, 3u << 16);
    EXPECT_THAT(negotiation.unrecognized_options, testing::ElementsAre("_pq_.unknown"));
  }
  EXPECT_TRUE(seen);
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedMessages, testing::ValuesIn(tests::recorded_majors));

}  // namespace
}  // namespace pgcourier::protocol
