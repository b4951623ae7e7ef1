#include "config/connection_string.hpp"

#include <gtest/gtest.h>

#include "config/mask_secrets.hpp"

namespace pgcourier::config {
namespace {

std::string error_of(std::string_view text) {
  try {
    parse_connection_string(text);
    return "parsed";
  } catch (const SettingsError& error) {
    return error.what();
  }
}

TEST(ConnectionString, ReadsUris) {
  EXPECT_EQ(parse_connection_string("postgresql://u%40:p%3Aw@[::1]:1,h2:2/d%2Fb?sslmode=require"),
            (ConnectionKeywords{{"user", "u@"},
                                {"password", "p:w"},
                                {"host", "::1,h2"},
                                {"port", "1,2"},
                                {"dbname", "d/b"},
                                {"sslmode", "require"}}));
  EXPECT_EQ(parse_connection_string("postgres://"), ConnectionKeywords{});
  EXPECT_EQ(parse_connection_string("postgres:///shop?host=/tmp&ssl=true"),
            (ConnectionKeywords{{"dbname", "shop"}, {"host", "/tmp"}, {"sslmode", "require"}}));
}

TEST(ConnectionString, ReadsKeysAndValues) {
  EXPECT_EQ(parse_connection_string(" host = db  password='it\\'s \\\\ here' dbname=a\\ b user=''"),
            (ConnectionKeywords{
                {"host", "db"}, {"password", "it's \\ here"}, {"dbname", "a b"}, {"user", ""}}));
  EXPECT_EQ(parse_connection_string("requiressl=1"), (ConnectionKeywords{{"sslmode", "require"}}));
}

TEST(ConnectionString, KnowsTheKeywordsOfNewerLibpqs) {
  for (const char* name : {"require_auth", "sslcertmode", "sslnegotiation", "min_protocol_version",
                           "max_protocol_version", "load_balance_hosts", "gssdelegation",
                           "scram_client_key", "oauth_issuer", "sslkeylogfile", "servicefile"}) {
    EXPECT_EQ(error_of(std::string(name) + "=x"), "parsed");
  }
}

TEST(ConnectionString, SaysWhereItIsWrong) {
  EXPECT_EQ(error_of("host=db sslmod=require"),
            "unknown keyword at character 9 of the connection string (did you mean \"sslmode\"?)");
  EXPECT_EQ(error_of("postgresql://db/?sslmod=require"),
            "unknown keyword at character 18 of the connection string (did you mean \"sslmode\"?)");
  EXPECT_EQ(error_of("host='db"),
            "the quoted value that begins at character 6 of the connection string has no end");
  EXPECT_EQ(error_of("host"),
            "missing \"=\" after the word at character 1 of the connection string (a value with "
            "spaces needs single quotes)");
  EXPECT_EQ(error_of("postgresql://u:p%zz@db"),
            "\"%\" without two hexadecimal digits at character 17 of the connection URI (a \"%\" "
            "itself is written %25)");
  EXPECT_EQ(error_of("postgresql://%00"),
            "%00 is forbidden, at character 14 of the connection URI");
  EXPECT_EQ(error_of("postgresql://[::1"),
            "no \"]\" after the \"[\" at character 14 of the connection URI");
  EXPECT_EQ(error_of("postgresql://[]"),
            "the IPv6 address at character 14 of the connection URI is empty");
  EXPECT_EQ(error_of("postgresql://[::1]x"),
            "unexpected character 19 of the connection URI, after an IPv6 address");
  EXPECT_EQ(error_of("postgresql://db?user"),
            "no \"=\" in the parameter at character 17 of the connection URI");
  EXPECT_EQ(error_of("postgresql://db?user=a=b"),
            "more than one \"=\" in the parameter at character 17 of the connection URI (one in a "
            "value is written %3D)");
  EXPECT_EQ(error_of(std::string_view("host=\0", 6)), "the connection string has a NUL character");
}

TEST(ConnectionString, NeverShowsAPieceOfAPassword) {
  for (const char* text :
       {"password=hunter2 hunter3", "password=a hunter2=b", "password='hunter2",
        "postgresql://u:hunter2%zz@h", "postgresql://u:p/x?hunter2=b@h",
        "postgresql://u:p/x?hunter2", "postgresql://[hunter2", "postgresql://[x]hunter2"}) {
    const std::string error = error_of(text);
    EXPECT_NE(error, "parsed") << text;
    EXPECT_EQ(error.find("hunter"), std::string::npos) << error;
  }
}

TEST(MaskConnectionString, LeavesNoPassword) {
  EXPECT_EQ(mask_connection_string("postgresql://u:hunter2@h1,h2/d?sslmode=require"),
            "postgresql://u:***@h1,h2/d?sslmode=require");
  EXPECT_EQ(mask_connection_string("postgresql://u@h/d?password=hunter2&user=x&sslpassword=k"),
            "postgresql://u@h/d?password=***&user=x&sslpassword=***");
  EXPECT_EQ(mask_connection_string("postgresql://u@h/d"), "postgresql://u@h/d");
  EXPECT_EQ(mask_connection_string("host=h password='hunter2 x' user=u"),
            "host='h' password='***' user='u'");
  EXPECT_EQ(mask_connection_string("host=h user=u"), "host=h user=u");
  EXPECT_EQ(mask_connection_string("password=hunter2 hunter3"), "***");
  // An encoded keyword: the URI's own form would still show it.
  EXPECT_EQ(mask_connection_string("postgresql://h/?p%61ssword=hunter2"),
            "host='h' password='***'");
}

}  // namespace
}  // namespace pgcourier::config
