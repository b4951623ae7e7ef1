#include "protocol/frontend_messages.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "protocol/version_negotiation.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using tests::from_hex;

// What `append` makes of an empty string.
template <typename Append>
std::string made(Append append) {
  std::string out;
  append(out);
  return out;
}

TEST(FrontendMessages, StartUp) {
  const std::vector<StartupParameter> parameters = {{"user", "me"}, {"database", "d"}};
  EXPECT_EQ(made([&](auto& out) { append_startup_message(out, protocol_3_0, parameters); }),
            from_hex("0000001c 00030000 7573657200 6d6500 646174616261736500 6400 00"));
  EXPECT_EQ(made([](auto& out) { append_ssl_request(out); }), from_hex("00000008 04d2162f"));
  EXPECT_EQ(made([](auto& out) { append_cancel_request(out, 7, from_hex("01020304")); }),
            from_hex("00000010 04d2162e 00000007 01020304"));
}

TEST(FrontendMessages, RefuseTextThatWouldShiftWhatFollows) {
  const std::vector<StartupParameter> smuggled = {
      {"user", std::string("me\0replication\0true", 19)}};
  std::string out;
  EXPECT_THROW(append_startup_message(out, protocol_3_0, smuggled), std::invalid_argument);
  const std::vector<StartupParameter> nameless = {{"", "x"}};
  EXPECT_THROW(append_startup_message(out, protocol_3_0, nameless), std::invalid_argument);
  EXPECT_THROW(append_query(out, std::string_view("SELECT\0 1", 9)), std::invalid_argument);
}

TEST(FrontendMessages, Authentication) {
  EXPECT_EQ(made([](auto& out) { append_password_message(out, "pw"); }),
            from_hex("70 00000007 707700"));
  EXPECT_EQ(made([](auto& out) { append_sasl_initial_response(out, "M", "data"); }),
            from_hex("70 0000000e 4d00 00000004 64617461"));
  EXPECT_EQ(made([](auto& out) { append_sasl_response(out, "data"); }),
            from_hex("70 00000008 64617461"));
}

TEST(FrontendMessages, ExtendedQuery) {
  const std::vector<std::uint32_t> types = {23};
  EXPECT_EQ(made([&](auto& out) { append_parse(out, "s", "SELECT", types); }),
            from_hex("50 00000013 7300 53454c45435400 0001 00000017"));
  const std::vector<BindParameter> values = {{.value = "7", .format = FormatCode::binary},
                                             {.value = {}, .format = FormatCode::text}};
  EXPECT_EQ(made([&](auto& out) { append_bind(out, "p", "s", values, FormatCode::binary); }),
            from_hex("42 0000001d 7000 7300 0002 0001 0000 0002 00000001 37 ffffffff 0001 0001"));
  EXPECT_EQ(made([](auto& out) { append_describe(out, DescribeTarget::portal, "p"); }),
            from_hex("44 00000007 50 7000"));
  EXPECT_EQ(made([](auto& out) { append_close(out, DescribeTarget::statement, "s"); }),
            from_hex("43 00000007 53 7300"));
  EXPECT_EQ(made([](auto& out) { append_execute(out, "", 2); }),
            from_hex("45 00000009 00 00000002"));
}

TEST(FrontendMessages, FunctionCall) {
  // int4pl(7, NULL)
  const std::string seven = from_hex("00000007");
  const std::vector<BindParameter> arguments = {{.value = seven, .format = FormatCode::binary},
                                                {.value = {}, .format = FormatCode::text}};
  EXPECT_EQ(made([&](auto& out) { append_function_call(out, 177, arguments, FormatCode::binary); }),
            from_hex("46 0000001e 000000b1 0002 0001 0000 0002 00000004 00000007 ffffffff 0001"));
  EXPECT_EQ(made([](auto& out) { append_function_call(out, 1, {}, FormatCode::text); }),
            from_hex("46 0000000e 00000001 0000 0000 0000"));
}

TEST(FrontendMessages, CopyAndTheRest) {
  EXPECT_EQ(made([](auto& out) { append_copy_data(out, "ab"); }), from_hex("64 00000006 6162"));
  EXPECT_EQ(made([](auto& out) { append_copy_done(out); }), from_hex("63 00000004"));
  EXPECT_EQ(made([](auto& out) { append_copy_fail(out, "no"); }), from_hex("66 00000007 6e6f00"));
  EXPECT_EQ(made([](auto& out) { append_query(out, "Q"); }), from_hex("51 00000006 5100"));
  EXPECT_EQ(made([](auto& out) { append_sync(out); }), from_hex("53 00000004"));
  EXPECT_EQ(made([](auto& out) { append_flush(out); }), from_hex("48 00000004"));
  EXPECT_EQ(made([](auto& out) { append_terminate(out); }), from_hex("58 00000004"));
}

TEST(FrontendMessages, CanBeSentTogether) {
  EXPECT_EQ(made([](auto& out) {
              append_flush(out);
              append_query(out, "");
              append_sync(out);
            }),
            from_hex("48 00000004 51 00000005 00 53 00000004"));
}

TEST(FrontendMessages, RefuseMoreParametersThanInt16Counts) {
  const std::vector<BindParameter> values(65'536);
  std::string out;
  EXPECT_THROW(append_bind(out, "", "", values), std::length_error);
}

}  // namespace
}  // namespace pgcourier::protocol
