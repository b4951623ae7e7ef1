// Simple and extended queries and function calls, §55.2.2, §55.2.3 and §55.2.5, against each major.
#include <gmock/gmock.h>

#include "tests/replication/live_major.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using protocol::BindParameter;
using protocol::FormatCode;
using protocol::Requests;
using protocol::TransactionStatus;
using test::big_endian;
using test::Seen;
using testing::ElementsAre;
using testing::IsEmpty;

class LiveQuery : public test::LiveMajor {};
INSTANTIATE_TEST_SUITE_P(Each, LiveQuery, LiveQuery::each(), LiveQuery::name);

TEST_P(LiveQuery, GivesTheResultOfEachStatement) {
  const QueryResults all = this->all(
      "SELECT 1 AS a; SET application_name = 'x'; SELECT 2 AS b WHERE false; SELECT NULL");
  EXPECT_FALSE(all.error);
  ASSERT_EQ(all.results.size(), 4U);
  EXPECT_THAT(all.results[0].columns, ElementsAre("a"));
  EXPECT_THAT(all.results[0].rows, ElementsAre(ElementsAre("1")));
  EXPECT_EQ(all.results[1].command_tag, "SET");
  EXPECT_THAT(all.results[1].columns, IsEmpty());
  EXPECT_THAT(all.results[2].columns, ElementsAre("b"));
  EXPECT_THAT(all.results[2].rows, IsEmpty());
  EXPECT_THAT(all.results[3].rows, ElementsAre(ElementsAre(std::nullopt)));
}

TEST_P(LiveQuery, GivesWhatCameBeforeTheError) {
  const QueryResults all =
      this->all("SELECT 1; SELECT i, 1 / (3 - i) FROM generate_series(1, 9) i");
  ASSERT_EQ(all.results.size(), 1U);
  ASSERT_TRUE(all.error);
  EXPECT_EQ(all.error->sqlstate, "22012");
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_P(LiveQuery, GivesAnEmptyResultForAnEmptyText) {
  const QueryResults all = this->all(" ; -- nothing");
  ASSERT_EQ(all.results.size(), 1U);
  EXPECT_EQ(all.results[0].command_tag, "");
  EXPECT_FALSE(all.error);
}

TEST_P(LiveQuery, KnowsTheTransactionStatus) {
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::idle);
  all("BEGIN");
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::in_transaction);
  all("SELECT 1/0");
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::failed);
  EXPECT_EQ(all("SELECT 1").error.value().sqlstate, "25P02");
  all("ROLLBACK");
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::idle);
}

TEST_P(LiveQuery, KeepsNamedStatementsAndDescribesThem) {
  const std::vector<std::uint32_t> int4 = {23};
  Requests prepare;
  prepare.parse("plus", "SELECT $1 + 1, $2::text", int4).describe_statement("plus");
  prepare.parse("quiet", "SET application_name = 'y'").describe_statement("quiet").sync();
  const Seen prepared = seen(prepare);
  EXPECT_EQ(prepared.replies, "1tT1tnZ");
  EXPECT_THAT(prepared.parameter_types, ElementsAre(23U, 25U));

  const std::string seven = big_endian(7);
  const std::vector<BindParameter> values = {{.value = seven, .format = FormatCode::binary},
                                             {.value = {}, .format = FormatCode::text}};
  Requests execute;
  execute.bind("", "plus", values, FormatCode::binary).execute("").bind("", "plus", values);
  execute.execute("").close_statement("plus").close_statement("none").bind("", "plus", values);
  const Seen executed = seen(execute.sync());
  EXPECT_EQ(executed.replies, "2DC2DC33EZ");
  EXPECT_THAT(executed.values, ElementsAre(big_endian(8), "NULL", "8", "NULL"));
  EXPECT_THAT(executed.errors, ElementsAre("26000"));
}

TEST_P(LiveQuery, GoesOnWithASuspendedPortal) {
  all("BEGIN");
  Requests start;
  start.parse("", "SELECT generate_series(1, 5)").bind("rows", "", {}).execute("rows", 2).sync();
  EXPECT_EQ(seen(start).replies, "12DDsZ");
  Requests go_on;
  go_on.execute("rows", 2).execute("rows").close_portal("rows").execute("rows").sync();
  const Seen rest = seen(go_on);
  EXPECT_EQ(rest.replies, "DDsDC3EZ");
  EXPECT_THAT(rest.values, ElementsAre("3", "4", "5"));
  EXPECT_THAT(rest.errors, ElementsAre("34000"));
  all("ROLLBACK");
}

TEST_P(LiveQuery, AnswersAFlushWithoutASync) {
  Requests first;
  first.parse("", "SELECT 1").bind("", "", {}).execute("").flush();
  EXPECT_EQ(seen(first).replies, "12DC");
  EXPECT_TRUE(connection().dialogue().needs_sync());
  EXPECT_EQ(session_->value("SELECT 2"), "2");  // which sends the Sync first

  Requests wrong;
  wrong.parse("", "SELEC").bind("", "", {}).flush();
  EXPECT_EQ(seen(wrong).replies, "E");
  connection().send(wrong);  // all of it is skipped
  EXPECT_EQ(session_->value("SELECT 3"), "3");
}

TEST_P(LiveQuery, SkipsToTheSyncAfterAnError) {
  Requests requests;
  requests.parse("", "SELECT 1/0").bind("", "", {}).execute("");
  requests.parse("", "SELECT 1").bind("", "", {}).execute("").sync();
  requests.parse("", "").bind("", "", {}).describe_portal("").execute("").sync();
  EXPECT_EQ(seen(requests).replies, "1EZ12nIZ");
}

TEST_P(LiveQuery, CallsFunctions) {
  const std::string two = big_endian(2);
  const std::vector<BindParameter> binary = {{.value = two, .format = FormatCode::binary},
                                             {.value = "40", .format = FormatCode::text}};
  const std::vector<BindParameter> null = {{.value = two, .format = FormatCode::binary},
                                           {.value = {}, .format = FormatCode::binary}};
  constexpr std::uint32_t int4pl = 177;
  constexpr std::uint32_t int4div = 154;
  Requests requests;
  requests.function_call(int4pl, binary, FormatCode::binary);
  requests.function_call(int4pl, binary, FormatCode::text);
  requests.function_call(int4pl, null, FormatCode::binary);
  const std::vector<BindParameter> by_zero = {{.value = "1", .format = FormatCode::text},
                                              {.value = "0", .format = FormatCode::text}};
  requests.function_call(int4div, by_zero, FormatCode::text);
  requests.function_call(1, {}, FormatCode::text);
  const Seen seen = this->seen(requests);
  EXPECT_EQ(seen.replies, "VZVZVZEZEZ");
  EXPECT_THAT(seen.values, ElementsAre(big_endian(42), "42", "NULL"));
  EXPECT_THAT(seen.errors, ElementsAre("22012", "42883"));
}

}  // namespace
}  // namespace pgcourier::replication
