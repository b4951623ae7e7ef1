#include "protocol/backend_messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/authentication_messages.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tests::expect_strict;
using tests::from_hex;

TEST(BackendKeyData, HasAKeyOfFourBytes) {
  const std::string body = from_hex("00003039 01020304");
  const auto message = read_backend_key_data(body);
  EXPECT_EQ(message.process_id, 12345);
  EXPECT_EQ(message.cancel_key, from_hex("01020304"));
}

TEST(BackendKeyData, HasAKeyOfUpTo256Bytes) {
  const std::string head = from_hex("00003039");
  EXPECT_EQ(read_backend_key_data(head + std::string(256, 'k')).cancel_key.size(), 256u);
  EXPECT_THROW(read_backend_key_data(head + std::string(257, 'k')), ProtocolError);
  EXPECT_THROW(read_backend_key_data(head + "abc"), ProtocolError);
  EXPECT_THROW(read_backend_key_data(from_hex("000030")), ProtocolError);
}

TEST(ParameterStatus, HasANameAndAValue) {
  const std::string body("TimeZone\0Etc/UTC\0", 17);
  EXPECT_EQ(read_parameter_status(body).parameter, "TimeZone");
  EXPECT_EQ(read_parameter_status(body).value, "Etc/UTC");
  expect_strict(body, read_parameter_status);
}

TEST(NegotiateProtocolVersion, NamesAVersionAndOptions) {
  const std::string body = from_hex("00030000 00000002 5f70715f2e6100 5f70715f2e6200");
  const auto message = read_negotiate_protocol_version(body);
  EXPECT_EQ(message.newest_version, 0x30000u);
  EXPECT_THAT(message.unrecognized_options, ElementsAre("_pq_.a", "_pq_.b"));
  expect_strict(body, read_negotiate_protocol_version);
}

TEST(NegotiateProtocolVersion, DoesNotBelieveItsCount) {
  EXPECT_THROW(read_negotiate_protocol_version(from_hex("00030000 ffffffff 6100")), ProtocolError);
}

TEST(ReadyForQuery, KnowsThreeStates) {
  EXPECT_EQ(read_ready_for_query("I").status, TransactionStatus::idle);
  EXPECT_EQ(read_ready_for_query("T").status, TransactionStatus::in_transaction);
  EXPECT_EQ(read_ready_for_query("E").status, TransactionStatus::failed);
  EXPECT_THROW(read_ready_for_query("X"), ProtocolError);
  expect_strict("I", read_ready_for_query);
}

TEST(NotificationResponse, HasAChannelAndAPayload) {
  const std::string body = from_hex("00000007 6300 7000");
  const auto message = read_notification_response(body);
  EXPECT_EQ(message.process_id, 7);
  EXPECT_EQ(message.channel, "c");
  EXPECT_EQ(message.payload, "p");
  expect_strict(body, read_notification_response);
}

TEST(ServerFields, AreAllRead) {
  std::string body;
  for (const char code : std::string_view("SVCMDHPpqWstcdnFLR")) {
    body += code;
    body += "value of ";
    body += code;
    body += '\0';
  }
  body += std::string("zlater\0\0", 8);
  const auto fields = read_server_fields(body);
  EXPECT_EQ(fields.severity, "value of S");
  EXPECT_EQ(fields.severity_unlocalized, "value of V");
  EXPECT_EQ(fields.sqlstate, "value of C");
  EXPECT_EQ(fields.message, "value of M");
  EXPECT_EQ(fields.detail, "value of D");
  EXPECT_EQ(fields.hint, "value of H");
  EXPECT_EQ(fields.position, "value of P");
  EXPECT_EQ(fields.internal_position, "value of p");
  EXPECT_EQ(fields.internal_query, "value of q");
  EXPECT_EQ(fields.where, "value of W");
  EXPECT_EQ(fields.schema_name, "value of s");
  EXPECT_EQ(fields.table_name, "value of t");
  EXPECT_EQ(fields.column_name, "value of c");
  EXPECT_EQ(fields.data_type_name, "value of d");
  EXPECT_EQ(fields.constraint_name, "value of n");
  EXPECT_EQ(fields.file, "value of F");
  EXPECT_EQ(fields.line, "value of L");
  EXPECT_EQ(fields.routine, "value of R");
  EXPECT_THAT(fields.other, ElementsAre(std::pair<char, std::string>('z', "later")));
  expect_strict(body, read_server_fields);
}

TEST(ServerFields, AreNotWithoutNumber) {
  std::string body;
  for (int i = 0; i < 64; ++i) body += std::string("z\0", 2);
  EXPECT_EQ(read_server_fields(body + '\0').other.size(), 64U);
  EXPECT_THROW(read_server_fields(body + std::string("z\0\0", 3)), ProtocolError);
}

TEST(ServerFields, MayAllBeAbsent) {
  EXPECT_THAT(read_server_fields(std::string_view("\0", 1)).message, IsEmpty());
  EXPECT_THROW(read_server_fields(""), ProtocolError);
}

TEST(EmptyMessage, IsNothingButItsType) {
  EXPECT_NO_THROW(read_empty_message("", "BindComplete"));
  EXPECT_THROW(read_empty_message("x", "BindComplete"), ProtocolError);
}

TEST(DescribeBackendMessage, NamesKnownTypesAndCountsUnknownOnes) {
  EXPECT_EQ(describe_backend_message('D'), "DataRow ('D')");
  EXPECT_EQ(describe_backend_message('\x07'), "unknown message type 0x07");
}

TEST(Authentication, KnowsEveryRequest) {
  EXPECT_TRUE(std::holds_alternative<AuthenticationOk>(read_authentication(from_hex("00000000"))));
  EXPECT_TRUE(
      std::holds_alternative<AuthenticationKerberosV5>(read_authentication(from_hex("00000002"))));
  EXPECT_TRUE(std::holds_alternative<AuthenticationCleartextPassword>(
      read_authentication(from_hex("00000003"))));
  EXPECT_TRUE(std::holds_alternative<AuthenticationGSS>(read_authentication(from_hex("00000007"))));
  EXPECT_TRUE(
      std::holds_alternative<AuthenticationSSPI>(read_authentication(from_hex("00000009"))));
  const auto md5 = from_hex("00000005 01020304");
  EXPECT_EQ(std::get<AuthenticationMD5Password>(read_authentication(md5)).salt,
            from_hex("01020304"));
  const auto gss = from_hex("00000008 41");
  EXPECT_EQ(std::get<AuthenticationGSSContinue>(read_authentication(gss)).data, "A");
  const auto more = from_hex("0000000b 41");
  EXPECT_EQ(std::get<AuthenticationSASLContinue>(read_authentication(more)).data, "A");
  const auto final = from_hex("0000000c 41");
  EXPECT_EQ(std::get<AuthenticationSASLFinal>(read_authentication(final)).data, "A");
  EXPECT_EQ(std::get<AuthenticationUnknown>(read_authentication(from_hex("0000004d 00"))).code,
            77u);
  for (const auto* whole : {"00000000", "00000002", "00000003", "00000005 01020304", "00000007",
                            "00000009", "0000000a 410042420000"}) {
    expect_strict(from_hex(whole), read_authentication);
  }
}

TEST(Authentication, ListsMechanismsInTheServersOrder) {
  const auto body = from_hex("0000000a 410042420000");
  const auto message = std::get<AuthenticationSASL>(read_authentication(body));
  EXPECT_THAT(message.mechanisms, ElementsAre("A", "BB"));
}

}  // namespace
}  // namespace pgcourier::protocol
