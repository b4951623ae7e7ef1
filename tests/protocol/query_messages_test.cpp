#include "protocol/query_messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace pgcourier::protocol
