#include "protocol/query_messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "protocol/backend_messages.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;
using tests::expect_strict;
using tests::from_hex;
using Values = std::vector<std::optional<ByteView>>;

// "SELECT 1 AS one": column "one", int4, text.
const std::string one_field = from_hex("0001 6f6e6500 0000400c 0002 00000017 0004 ffffffff 0000");

TEST(RowDescription, DescribesEachField) {
  const auto message = read_row_description(one_field);
  ASSERT_EQ(message.fields.size(), 1u);
  EXPECT_EQ(message.fields[0].name, "one");
  EXPECT_EQ(message.fields[0].table_oid, 16396u);
  EXPECT_EQ(message.fields[0].column_number, 2u);
  EXPECT_EQ(message.fields[0].type_oid, 23u);
  EXPECT_EQ(message.fields[0].type_size, 4);
  EXPECT_EQ(message.fields[0].type_modifier, -1);
  EXPECT_EQ(message.fields[0].format, FormatCode::text);
  expect_strict(one_field, read_row_description);
}

TEST(RowDescription, DoesNotBelieveItsCount) {
  EXPECT_THROW(read_row_description(from_hex("ffff 00")), ProtocolError);
}

TEST(RowDescription, RefusesUnknownFormats) {
  EXPECT_THROW(
      read_row_description(from_hex("0001 6f00 0000400c 0002 00000017 0004 ffffffff 0002")),
      ProtocolError);
}

TEST(DataRow, TellsNullFromEmpty) {
  const std::string body = from_hex("0003 00000001 37 ffffffff 00000000");
  Values values(9);
  read_data_row(body, values);
  EXPECT_THAT(values, ElementsAre(ByteView("7"), std::nullopt, ByteView("")));
  expect_strict(body, [&](ByteView bytes) { read_data_row(bytes, values); });
}

TEST(DataRow, RefusesOtherNegativeLengths) {
  Values values;
  EXPECT_THROW(read_data_row(from_hex("0001 fffffffe"), values), ProtocolError);
}

TEST(CommandComplete, IsATag) {
  const std::string body("SELECT 3\0", 9);
  EXPECT_EQ(read_command_complete(body), "SELECT 3");
  expect_strict(body, read_command_complete);
}

TEST(ParameterDescription, ListsTypes) {
  const std::string body = from_hex("0002 00000017 00000019");
  EXPECT_THAT(read_parameter_description(body).type_oids, ElementsAre(23u, 25u));
  expect_strict(body, read_parameter_description);
}

TEST(FunctionCallResponse, TellsNullFromEmpty) {
  const std::string body = from_hex("00000004 00000005");
  EXPECT_EQ(read_function_call_response(body).value, from_hex("00000005"));
  expect_strict(body, read_function_call_response);
  EXPECT_EQ(read_function_call_response(from_hex("ffffffff")).value, std::nullopt);
  EXPECT_EQ(read_function_call_response(from_hex("00000000")).value, ByteView(""));
  EXPECT_THROW(read_function_call_response(from_hex("fffffffe")), ProtocolError);
}

TEST(CopyResponse, HasAFormatPerColumn) {
  const std::string body = from_hex("01 0002 0000 0001");
  const auto message = read_copy_response(body);
  EXPECT_EQ(message.format, FormatCode::binary);
  EXPECT_THAT(message.column_formats, ElementsAre(FormatCode::text, FormatCode::binary));
  expect_strict(body, read_copy_response);
  EXPECT_THROW(read_copy_response(from_hex("02 0000")), ProtocolError);
}

// One message of each kind that queries and COPY bring, through its reader.
void read_any(const FramedMessage& message) {
  Values values;
  switch (message.type) {
    case 'T':
      read_row_description(message.body);
      break;
    case 'D':
      read_data_row(message.body, values);
      break;
    case 'C':
      read_command_complete(message.body);
      break;
    case 't':
      read_parameter_description(message.body);
      break;
    case 'G':
    case 'H':
    case 'W':
      read_copy_response(message.body);
      break;
    case 'E':
    case 'N':
      read_server_fields(message.body);
      break;
    case 'Z':
      read_ready_for_query(message.body);
      break;
    case 'A':
      read_notification_response(message.body);
      break;
    case 'S':
      read_parameter_status(message.body);
      break;
    case 'd':
      break;
    default:
      read_empty_message(message.body, describe_backend_message(message.type));
  }
}

TEST(RecordedQueries, AreAllUnderstood) {
  std::map<char, int> seen;
  for (const auto& message : tests::recorded("queries")) {
    if (!message.from_server) continue;
    const auto frame = tests::framed(message);
    ++seen[frame.type];
    EXPECT_NO_THROW(read_any(frame)) << describe_backend_message(frame.type);
  }
  for (const char type : std::string_view("TDCEZINAHGdc12s3nt")) {
    EXPECT_GT(seen[type], 0) << "the recording lacks " << describe_backend_message(type);
  }
}

TEST(RecordedQueries, HaveTheFieldsOfAUniqueViolation) {
  bool seen = false;
  for (const auto& message : tests::recorded("queries")) {
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

}  // namespace
}  // namespace pgcourier::protocol
