#include "cdc/daemon/retry_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <new>
#include <system_error>

#include "cdc/daemon/stop_error.hpp"
#include "cdc/session_limits.hpp"
#include "cdc/sink.hpp"
#include "cdc/table_filter.hpp"
#include "config/settings.hpp"
#include "protocol/protocol_error.hpp"
#include "protocol/server_error.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

template <class Error>
NextStep step_after(const Error& error, bool bookmark_exists = false) {
  return next_step(std::make_exception_ptr(error), bookmark_exists);
}

NextStep step_after_server_error(const std::string& sqlstate, const std::string& message,
                                 bool bookmark_exists) {
  protocol::ServerFields fields;
  fields.severity = "ERROR";
  fields.sqlstate = sqlstate;
  fields.message = message;
  return step_after(protocol::ServerError(fields), bookmark_exists);
}

TEST(RetryPolicy, AsksForAnotherOAuthToken) {
  const auto expired = step_after(protocol::OAuthTokenRefused("invalid_token"));
  EXPECT_TRUE(expired.retry);
  EXPECT_EQ(expired.exit_code, 77);
  EXPECT_FALSE(step_after(protocol::AuthenticationError("invalid_token")).retry);
}

constexpr bool again = true;
constexpr bool stops = false;

struct ServerCase {
  const char* sqlstate;
  const char* message;
  bool retry;
  int exit_code;
  int exit_code_with_bookmark;
};

constexpr ServerCase server_cases[] = {
    // Edge case 23.
    {"28000", "no pg_hba.conf entry for host", stops, 77, 77},
    {"28P01", "password authentication failed for user \"cdc\"", stops, 77, 77},
    {"42501", "must be superuser or replication role to start walsender", stops, 77, 77},
    {"42704", "publication \"shop\" does not exist", stops, 78, 66},
    {"42704", "replication slot \"shop\" does not exist", stops, 78, 66},
    {"55006", "replication slot \"shop\" is active for PID 7", again, 69, 69},
    {"55000", "can no longer get changes from replication slot \"shop\"", stops, 66, 66},
    {"55000", "can no longer access replication slot \"shop\"", stops, 66, 66},
    {"55000", "cannot read from logical replication slot \"shop\"", stops, 66, 66},
    {"55000", "logical decoding requires wal_level >= logical", stops, 78, 66},
    {"55000", "replication slots can only be used if wal_level >= replica", stops, 78, 66},
    {"55000", "replication slots can only be used if max_replication_slots > 0", stops, 78, 66},
    {"55000", "logische Dekodierung erfordert wal_level >= logical", stops, 78, 66},
    {"55000", "kann nicht mehr aus Replikations-Slot »shop« lesen", stops, 66, 66},
    {"58P01", "requested WAL segment 0000000100000001 has already been removed", stops, 66, 66},
    {"57P01", "terminating connection due to administrator command", again, 69, 69},
    {"57P02", "terminating connection because of crash of another server process", again, 69, 69},
    {"57P03", "the database system is starting up", again, 69, 69},
    {"53300", "sorry, too many clients already", again, 69, 69},
    {"53400", "all replication slots are in use", stops, 78, 78},
    // Mistakes.
    {"3D000", "database \"shop\" does not exist", stops, 78, 78},
    {"22023", "unrecognized pgoutput option: messages", stops, 78, 78},
    {"0A000", "logical decoding cannot be used while in recovery", stops, 78, 78},
    {"42601", "syntax error", stops, 78, 78},
    {"42602", "replication slot name \"Shop\" contains invalid character", stops, 78, 78},
    // Passing, or never seen.
    {"08006", "connection failure", again, 69, 69},
    {"40001", "could not serialize access", again, 69, 69},
    {"42710", "replication slot \"shop\" already exists", again, 69, 69},
    {"53100", "No space left on device", again, 69, 69},
    {"53200", "out of memory", again, 69, 69},
    {"57014", "canceling statement due to statement timeout", again, 69, 69},
    {"XX000", "could not find record while sending logically-decoded data", again, 69, 69},
    {"", "an error without its SQLSTATE", again, 69, 69},
};

class ServersErrors : public testing::TestWithParam<ServerCase> {};

TEST_P(ServersErrors, MeanAgainOrOneExitCodeByTheirSqlstate) {
  const auto& error = GetParam();
  for (const bool bookmark_exists : {false, true}) {
    const auto step = step_after_server_error(error.sqlstate, error.message, bookmark_exists);
    SCOPED_TRACE(std::string(error.sqlstate) + " " + error.message +
                 (bookmark_exists ? ", with a bookmark" : ""));
    EXPECT_EQ(step.retry, error.retry);
    EXPECT_EQ(step.exit_code, bookmark_exists ? error.exit_code_with_bookmark : error.exit_code);
    EXPECT_EQ(step.kind, "server");
    EXPECT_EQ(step.sqlstate, error.sqlstate);
    EXPECT_THAT(step.what, HasSubstr(error.message));
  }
}

INSTANTIATE_TEST_SUITE_P(RetryPolicy, ServersErrors, testing::ValuesIn(server_cases));

TEST(RetryPolicy, ReadsWhatASlotsInvalidationWasForAsALossAllTheSame) {
  protocol::ServerFields fields;
  fields.sqlstate = "55000";
  fields.message = "can no longer access replication slot \"shop\"";
  fields.detail = "This replication slot has been invalidated due to \"wal_level_insufficient\".";
  EXPECT_EQ(step_after(protocol::ServerError(fields)).exit_code, 66);
}

TEST(RetryPolicy, SaysTheRemedyBesideTheServersWords) {
  EXPECT_THAT(step_after_server_error("28P01", "password authentication failed", false).what,
              testing::EndsWith("(check user, password and pg_hba.conf)"));
}

TEST(RetryPolicy, KnowsAPoolerByItsWords) {
  const auto step =
      step_after_server_error("08P01", "unsupported startup parameter: replication", true);
  EXPECT_FALSE(step.retry);
  EXPECT_EQ(step.exit_code, 78);
  EXPECT_THAT(step.what, HasSubstr("name the server itself in source.url"));
  EXPECT_TRUE(step_after_server_error("08P01", "invalid message", true).retry);
}

struct SinkCase {
  SinkFailure failure;
  bool retry;
  int exit_code;
};

TEST(RetryPolicy, OnlyASinkThatIsUnavailableIsTriedAgain) {
  constexpr SinkCase cases[] = {
      {SinkFailure::once_more, again, 69},     {SinkFailure::fenced, again, 69},
      {SinkFailure::unavailable, again, 69},   {SinkFailure::undeliverable, stops, 65},
      {SinkFailure::not_permitted, stops, 77}, {SinkFailure::settings, stops, 78},
      {SinkFailure::bookmark, stops, 66},      {SinkFailure::closed, stops, 0},
      {SinkFailure::internal, stops, 70},
  };
  for (const auto& expected : cases) {
    for (const bool bookmark_exists : {false, true}) {
      const auto step =
          step_after(SinkError(expected.failure, "sink kafka: refused"), bookmark_exists);
      SCOPED_TRACE(static_cast<int>(expected.failure));
      EXPECT_EQ(step.retry, expected.retry);
      EXPECT_EQ(step.at_once, expected.failure == SinkFailure::once_more);
      EXPECT_EQ(step.exit_code, expected.exit_code);
      EXPECT_EQ(step.kind, "sink");
      EXPECT_EQ(step.sqlstate, "");
      EXPECT_EQ(step.what, "sink kafka: refused");
    }
  }
}

struct ErrorCase {
  std::exception_ptr error;
  bool retry;
  int exit_code;
  const char* kind;
  const char* what;
};

TEST(RetryPolicy, KnowsEveryOtherKindOfError) {
  const TooManyTables too_many_tables;
  const ErrorCase cases[] = {
      {std::make_exception_ptr(replication::ConnectionError("db1:5432: connection refused")), again,
       69, "network", "db1:5432: connection refused"},
      {std::make_exception_ptr(protocol::AuthenticationError("no password was given")), stops, 77,
       "server", "no password was given"},
      {std::make_exception_ptr(protocol::ProtocolError("Update", "no new row", 5)), stops, 76,
       "protocol", "Update: no new row at byte 5"},
      {std::make_exception_ptr(config::SettingsError("source.slot: missing")), stops, 78,
       "settings", "source.slot: missing"},
      {std::make_exception_ptr(FilterError("re:( is no regular expression")), stops, 78, "settings",
       "re:( is no regular expression"},
      {std::make_exception_ptr(too_many_tables), again, 70, "memory", too_many_tables.what()},
      {std::make_exception_ptr(StopError(exit_slot_in_use, "the slot is in use")), stops, 75,
       "settings", "the slot is in use"},
      {std::make_exception_ptr(std::bad_alloc()), stops, 70, "internal", "out of memory"},
      {std::make_exception_ptr(std::runtime_error("a surprise")), stops, 70, "internal",
       "a surprise"},
      {std::make_exception_ptr(42), stops, 70, "internal", "an error of an unknown kind"},
  };
  for (const auto& expected : cases) {
    for (const bool bookmark_exists : {false, true}) {
      const auto step = next_step(expected.error, bookmark_exists);
      SCOPED_TRACE(expected.what);
      EXPECT_EQ(step.retry, expected.retry);
      EXPECT_EQ(step.exit_code, expected.exit_code);
      EXPECT_EQ(step.kind, expected.kind);
      EXPECT_EQ(step.sqlstate, "");
      EXPECT_EQ(step.what, expected.what);
    }
  }
}

TEST(RetryPolicy, KeepsTheReasonOfASystemError) {
  const auto step = step_after(std::system_error(EMFILE, std::generic_category(), "epoll_create1"));
  EXPECT_EQ(step.exit_code, 70);
  EXPECT_THAT(step.what, StartsWith("epoll_create1: "));
}

TEST(RetryDelay, GrowsFromHalfASecondToHalfAMinute) {
  constexpr std::chrono::milliseconds delays[] = {500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s};
  unsigned attempt = 0;
  for (const auto delay : delays) EXPECT_EQ(retry_delay(attempt++), delay) << attempt;
}

TEST(RetryDelay, StaysCappedForAnyNumberOfAttempts) {
  for (const unsigned attempt : {31u, 32u, 33u, 64u, 1000u, std::numeric_limits<unsigned>::max()}) {
    EXPECT_EQ(retry_delay(attempt), 30s) << attempt;
  }
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
