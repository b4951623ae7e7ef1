// Queries, pipelines, COPY, function calls, cancel and notifications with libpq and with ours,
// against each major: rows, tags, errors with all their fields, notices, transaction status.
#include "tests/replication/live_oracle_test.hpp"
#include "tests/replication/live_sleep.hpp"

namespace pgcourier::replication {
namespace {

using test::Session;
using test::Side;
using test::Values;

class LiveOracleQuery : public test::LiveOracle, public testing::WithParamInterface<int> {
 public:
  static auto each() { return testing::ValuesIn(majors); }
  static std::string name(const testing::TestParamInfo<int>& major) {
    return "on" + std::to_string(major.param);
  }

 protected:
  // In an empty schema; notices tell of temporary ones by their number.
  template <typename Scenario>
  static void same(Scenario scenario) {
    for (const std::string mode : {"disable", "require"}) {
      LiveOracle::same(on(GetParam()) + " sslmode=" + mode, [&](Side& side) {
        side.simple(
            "SET client_min_messages = warning; DROP SCHEMA IF EXISTS oracle CASCADE;"
            "CREATE SCHEMA oracle; SET search_path = oracle; RESET client_min_messages");
        scenario(side);
      });
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Each, LiveOracleQuery, LiveOracleQuery::each(), LiveOracleQuery::name);

TEST_P(LiveOracleQuery, AnswersSimpleQueries) {
  same([](Side& side) {
    for (const auto* sql : {"SELECT 1",
                            "",
                            " ; -- nothing",
                            "SELECT 1; SELECT 'two', NULL; SET geqo = off",
                            "SELECT 1; SELECT 1/0; SELECT 2",
                            "SELECT 1;; SELECT 2",
                            "SELECT",
                            "SELECT i, 1 / (3 - i) FROM generate_series(1, 9) i",
                            "SELECT oid, typname FROM pg_type WHERE typname = 'int4'",
                            "CREATE TABLE t (id int PRIMARY KEY, CHECK (id < 9))",
                            "INSERT INTO t VALUES (1), (2)",
                            "UPDATE t SET id = id + 2",
                            "DELETE FROM t RETURNING id",
                            "BEGIN",
                            "BEGIN",
                            "SELECT 1/0",
                            "SELECT 1",
                            "COMMIT",
                            "ROLLBACK",
                            "BEGIN; INSERT INTO t VALUES (1); SELECT wrong; COMMIT",
                            "SELECT * FROM t",
                            "ROLLBACK",
                            "INSERT INTO t VALUES (7); SELECT 1/0",
                            "SELECT * FROM t",
                            "EXPLAIN (COSTS off) SELECT 1",
                            "SHOW server_version",
                            "VACUUM t",
                            "SELECT 1; VACUUM t",
                            "DROP TABLE IF EXISTS none",
                            "FETCH 1 FROM none",
                            "SELECT repeat('x', 300000)"}) {
      side.simple(sql);
    }
  });
}

TEST_P(LiveOracleQuery, FailsInEachClass) {
  const std::vector<std::string> failing = {
      "SELECT 1/0",                               // 22012
      "SELECT 'x'::int",                          // 22P02
      "SELECT repeat('x', 2000000000)",           // 54000 or 53200
      "SELECT '2000-13-01'::date",                // 22008
      "SELECT E'\\xff'",                          // 22021
      "SELEC 1",                                  // 42601
      "SELECT * FROM none",                       // 42P01
      "SELECT none",                              // 42703
      "SELECT none()",                            // 42883
      "SELECT 1 + 'x'::text",                     // 42883, with a hint
      "CREATE TABLE pg_catalog.x (i int)",        // 42501
      "SET nonsense = 1",                         // 42704
      "SET work_mem = 'x'",                       // 22023
      "SET client_encoding = 'nonsense'",         // 22023
      "SET wal_level = 'logical'",                // 55P02
      "INSERT INTO t VALUES (1), (1)",            // 23505
      "INSERT INTO t VALUES (NULL)",              // 23502
      "INSERT INTO t VALUES (9)",                 // 23514
      "INSERT INTO child VALUES (5)",             // 23503
      "INSERT INTO t VALUES (5, 'a')",            // 22P02
      "SELECT 300::d",                            // 23514, of a domain
      "DROP TABLE t",                             // 2BP01
      "CREATE TABLE t (i int)",                   // 42P07
      "SAVEPOINT a",                              // 25P01
      "SELECT nextval('none')",                   // 42P01
      "SET ROLE none_such",                       // 22023
      "BEGIN READ ONLY; CREATE TABLE u (i int)",  // 25006
      "BEGIN; SELECT wrong; SELECT 1",            // 42703
      "SELECT 1",                                 // 25P02
      "ROLLBACK TO none",                         // 3B001
      "ROLLBACK",
      "SET statement_timeout = 100",
      "SELECT pg_sleep(60)",  // 57014
      "RESET statement_timeout",
      "SET lock_timeout = 'x'",
      "DO $$ BEGIN RAISE 'told' USING DETAIL = 'd', HINT = 'h'; END $$",  // P0001
      "DO $$ BEGIN RAISE 'told' USING ERRCODE = 'ZZ001', COLUMN = 'c', TABLE = 't', SCHEMA = 's',"
      " DATATYPE = 'y', CONSTRAINT = 'n'; END $$",
      "DO $$ BEGIN EXECUTE 'SELEC'; END $$",  // with an internal query
      "DO $$ BEGIN PERFORM 1/0; END $$",
      "DO $$ BEGIN ASSERT false, 'claimed'; END $$",   // P0004
      "DO LANGUAGE none ''",                           // 42704
      "SELECT $1",                                     // 42P02
      "PREPARE p AS SELECT 1; PREPARE p AS SELECT 2",  // 42P05
      "EXECUTE none",                                  // 26000
      "CLOSE none",                                    // 34000
      "LOCK TABLE t",                                  // 25P01
      "COMMIT PREPARED 'none'",                        // 42704 or 55000
      "LOAD 'none'",                                   // 58P01
      "CREATE EXTENSION none",                         // 0A000 or 58P01
      "SELECT pg_read_file('none')",                   // 58P01
      "SELECT 1 FROM t FOR UPDATE OF u",               // 42P01
      "WITH RECURSIVE r AS (SELECT 1 UNION SELECT 1 FROM r, r) SELECT 1",
      "START_REPLICATION SLOT none LOGICAL 0/0",  // 42601
  };
  same([&](Side& side) {
    side.simple(
        "CREATE TABLE t (id int PRIMARY KEY CHECK (id < 9), k int);"
        "CREATE TABLE child (id int REFERENCES t);"
        "CREATE DOMAIN d AS int CHECK (VALUE < 200)");
    for (const auto& sql : failing) side.simple(sql);
    for (const auto& sql : failing) side.with_parameters(sql, {});
  });
}

TEST_P(LiveOracleQuery, GivesNotices) {
  same([](Side& side) {
    for (const auto* level : {"debug1", "notice", "warning", "error"}) {
      side.simple("SET client_min_messages = " + std::string(level));
      for (const auto* raised : {"DEBUG", "LOG", "INFO", "NOTICE", "WARNING"}) {
        side.simple("DO $$ BEGIN RAISE " + std::string(raised) +
                    " 'told' USING DETAIL = 'd', HINT = 'h', ERRCODE = '01ABC'; END $$");
      }
    }
    side.simple("RESET client_min_messages; ROLLBACK; DROP TABLE IF EXISTS none");
    side.with_parameters("DROP TABLE IF EXISTS none", {});
    side.pipeline({"DROP TABLE IF EXISTS none", "SELECT 1", "ROLLBACK", ""});
  });
}

TEST_P(LiveOracleQuery, AnswersExtendedQueries) {
  same([](Side& side) {
    side.with_parameters("SELECT $1::int + 1 AS a, $2::text, $3::text",
                         Values{"7", std::nullopt, "it's"});
    side.with_parameters("SELECT $1::int", Values{"7"}, true);
    side.with_parameters("SELECT $1::int", Values{"x"});
    side.with_parameters("SELECT $1::int", Values{});
    side.with_parameters("SELECT $1", Values{"untyped"});
    side.with_parameters("SELECT 1; SELECT 2", Values{});
    side.with_parameters("", Values{});
    side.with_parameters("SET geqo = on", Values{});
    side.with_parameters("SELECT '\\x00ff'::bytea", Values{}, true);
    side.with_parameters("SELECT '(1,1)'::pg_ddl_command", Values{}, true);
    side.prepare("p", "SELECT typname, $1::numeric(9,2) FROM pg_type WHERE oid = $2");
    side.prepare("p", "SELECT 1");
    side.prepare("wrong", "SELEC");
    side.describe_statement("p");
    side.describe_statement("none");
    side.execute("p", Values{"1.5", "23"});
    side.execute("p", Values{"1.5", "0"});
    side.execute("p", Values{"1.5"});
    side.execute("p", Values{"x", "23"});
    side.execute("none", Values{});
    side.prepare("", "SELECT 1 AS unnamed");
    side.execute("", Values{});
    side.simple("DEALLOCATE p");
    side.execute("p", Values{"1.5", "23"});
    side.simple("BEGIN; DECLARE c CURSOR FOR SELECT relname FROM pg_class");
    side.describe_portal("c");
    side.describe_portal("none");
    side.describe_portal("c");
    side.simple("ROLLBACK");
  });
}

TEST_P(LiveOracleQuery, AnswersPipelines) {
  same([](Side& side) {
    side.simple("CREATE TABLE t (id int PRIMARY KEY)");
    side.pipeline({"SELECT 1", "SELECT 2", "SET geqo = off", "", "SELECT 3", ""});
    side.pipeline({"INSERT INTO t VALUES (1)", "SELECT 1/0", "SELECT 2", "", "SELECT 3", ""});
    side.simple("SELECT * FROM t");
    side.pipeline({"INSERT INTO t VALUES (1)", "", "INSERT INTO t VALUES (1)", "SELECT 2", "",
                   "SELEC", "", "SELECT * FROM t", ""});
    side.pipeline({"BEGIN", "SELECT 1/0", "SELECT 1", "", "SELECT 2", "", "ROLLBACK", ""});
    side.pipeline({"BEGIN", "INSERT INTO t VALUES (2)", "", "COMMIT", "SELECT * FROM t", ""});
    side.pipeline({"", "", "SELECT i, 1 / (3 - i) FROM generate_series(1, 9) i", ""});
    side.pipeline({"SELECT 1", "VACUUM t", ""});
    side.simple("SELECT 1");
  });
}

TEST_P(LiveOracleQuery, Copies) {
  same([](Side& side) {
    const std::string count = "SELECT count(*) FROM t";
    side.simple("CREATE TABLE t (id int PRIMARY KEY, text text)");
    side.simple("COPY t FROM STDIN", {.pieces = {"1\to", "ne\n2\t\\N\n"}, .failure = {}});
    side.simple("COPY t FROM STDIN", {.pieces = {"3\tthree\n"}, .failure = "no more"});
    side.simple(count);
    for (const auto* wrong : {"x\ty\n", "4\n", "4\ta\tb\n", "1\tagain\n", "4\tno end", "\\.\n",
                              "4\t\\xff\n", "4\tfour\n\\.\n5\tfive\n"}) {
      side.simple("COPY t FROM STDIN", {.pieces = {wrong}, .failure = {}});
      side.simple(count);
    }
    side.simple("COPY t FROM STDIN (FORMAT csv, HEADER)",
                {.pieces = {"id,text\n8,\"a,\nb\"\n9,\"open\n"}, .failure = {}});
    side.simple("COPY t FROM STDIN (FORMAT binary)", {.pieces = {"nonsense"}, .failure = {}});
    side.simple("COPY t FROM STDIN", {});
    side.simple("COPY none FROM STDIN", {});
    side.simple("COPY t FROM STDIN (NONSENSE)", {});
    side.simple("COPY t TO STDOUT");
    side.simple("COPY t TO STDOUT (FORMAT binary)");
    side.simple("COPY (SELECT i, 1 / (3 - i) FROM generate_series(1, 9) i) TO STDOUT");
    side.simple("SELECT 1; COPY t FROM STDIN; SELECT 2; COPY t TO STDOUT; SELECT 3",
                {.pieces = {"20\tx\n"}, .failure = {}});
    side.simple("SELECT 1; COPY t FROM STDIN; SELECT 2", {.pieces = {"20\tx\n"}, .failure = {}});
    side.simple("BEGIN; COPY t FROM STDIN", {.pieces = {"x\n"}, .failure = {}});
    side.simple("ROLLBACK");
    side.with_parameters("COPY t TO STDOUT", {});
    side.simple(count);
  });
}

TEST_P(LiveOracleQuery, CallsFunctions) {
  same([](Side& side) {
    constexpr std::uint32_t int4pl = 177;
    constexpr std::uint32_t int4div = 154;
    side.call(int4pl, {40, 2});
    side.call(int4pl, {-40, 2});
    side.call(int4div, {1, 0});
    side.call(int4pl, {1});
    side.call(int4pl, {1, 2, 3});
    side.call(1, {});
    side.simple("BEGIN");
    side.call(int4div, {1, 0});
    side.call(int4pl, {1, 2});
    side.simple("ROLLBACK");
  });
}

TEST_P(LiveOracleQuery, IsCancelledOrTerminated) {
  Session watcher(target_of(GetParam()));
  const auto until_asleep = [&](int process_id) { test::wait_asleep(watcher, process_id); };
  same([&](Side& side) {
    side.cancel("SELECT pg_sleep(60)", until_asleep);
    side.cancel("SELECT 1; SELECT pg_sleep(60); SELECT 2", until_asleep);
    side.cancel("COPY (SELECT pg_sleep(60)) TO STDOUT", until_asleep);
    side.cancel("COPY (VALUES (1)) TO STDOUT; SELECT pg_sleep(60)", until_asleep);
    side.cancel("BEGIN; SELECT pg_sleep(60)", until_asleep);
    side.simple("SELECT 1");
    side.simple("ROLLBACK");
    side.simple("SELECT pg_terminate_backend(pg_backend_pid())");
  });
}

TEST_P(LiveOracleQuery, TakesNotificationsAndParameters) {
  Session other(target_of(GetParam()));
  same([&](Side& side) {
    side.simple("LISTEN here; NOTIFY here, 'own'");
    side.wait_notification();
    side.with_parameters("NOTIFY here", {});
    side.wait_notification();
    other.query("NOTIFY here, 'its'");
    side.wait_notification();
    side.simple(
        "SET application_name = 'changed'; SET TimeZone = 'Europe/Bern'; SET DateStyle = german;"
        "SET client_encoding = latin1; SET IntervalStyle = iso_8601");
    for (const auto* name :
         {"application_name", "TimeZone", "DateStyle", "client_encoding", "IntervalStyle",
          "server_version", "server_encoding", "integer_datetimes", "standard_conforming_strings",
          "is_superuser", "session_authorization", "in_hot_standby",
          "default_transaction_read_only", "nonsense"}) {
      side.simple(std::string("SELECT '") + name + " " + side.parameter(name) + "'");
    }
  });
}

}  // namespace
}  // namespace pgcourier::replication
