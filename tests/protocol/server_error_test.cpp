#include "protocol/server_error.hpp"

#include <gtest/gtest.h>

namespace pgcourier::protocol {
namespace {

TEST(ServerError, IsOneLineForAnOperator) {
  ServerFields fields;
  fields.severity = "FEHLER";
  fields.severity_unlocalized = "ERROR";
  fields.sqlstate = "55006";
  fields.message = "replication slot \"a\" is active for PID 7";
  EXPECT_STREQ(ServerError(fields).what(),
               "ERROR 55006: replication slot \"a\" is active for PID 7");
  fields.detail = "first\nsecond";
  fields.hint = "wait\x1b[2J";
  const ServerError error(fields);
  EXPECT_STREQ(error.what(),
               "ERROR 55006: replication slot \"a\" is active for PID 7; DETAIL: first second; "
               "HINT: wait [2J");
  EXPECT_EQ(error.sqlstate(), "55006");
  EXPECT_EQ(error.fields().detail, "first\nsecond");
}

TEST(ServerError, ManagesWithoutFields) {
  EXPECT_STREQ(ServerError(ServerFields{}).what(), "ERROR: ");
}

}  // namespace
}  // namespace pgcourier::protocol
