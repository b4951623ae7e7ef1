// Every flow of chapter 55.2 after start-up, against a real server: simple, extended, pipelined,
// function calls, what comes of the server's own accord, cancel.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

#include "tests/replication/live_support.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using config::SslMode;
using protocol::BindParameter;
using protocol::FormatCode;
using protocol::Reply;
using protocol::Requests;
using protocol::TransactionStatus;
using test::big_endian;
using test::Session;
using testing::ElementsAre;
using testing::IsEmpty;

// One letter a reply, as the manual's message types; the rows' values as they are.
struct Seen {
  std::string replies;
  std::vector<std::string> values;
  std::vector<std::string> errors;
  std::vector<std::uint32_t> parameter_types;

  void take(const Reply& reply) {
    constexpr std::string_view letters = "123nsItTDCGHWdcVEZ";
    replies += letters.at(reply.index());
    if (const auto* row = std::get_if<protocol::DataRow>(&reply)) {
      for (const auto& value : row->values) values.emplace_back(value.value_or("NULL"));
    } else if (const auto* error = std::get_if<protocol::ErrorResponse>(&reply)) {
      errors.push_back(error->fields.sqlstate);
    } else if (const auto* types = std::get_if<protocol::ParameterDescription>(&reply)) {
      parameter_types.insert(parameter_types.end(), types->type_oids.begin(),
                             types->type_oids.end());
    } else if (const auto* result = std::get_if<protocol::FunctionCallResponse>(&reply)) {
      values.emplace_back(result->value.value_or("NULL"));
    }
  }
};

// Sends, and reads until all is answered.
asio::awaitable<void> exchange(Connection& connection, const Requests& requests, Seen& seen) {
  connection.send(requests);
  while (!connection.dialogue().idle()) {
    const Reply reply = co_await connection.next_reply();
    seen.take(reply);
  }
}

class LiveQuery : public test::LiveTest {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    if (!IsSkipped()) session_.emplace(target());
  }
  Connection& connection() { return session_->connection; }
  Seen seen(const Requests& requests) {
    Seen seen;
    test::run(session_->io, exchange(connection(), requests, seen));
    return seen;
  }
  QueryResults all(std::string_view sql) {
    return test::run(session_->io, connection().query_all(sql));
  }
  std::optional<Session> session_;
};

TEST_F(LiveQuery, GivesTheResultOfEachStatement) {
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

TEST_F(LiveQuery, GivesWhatCameBeforeTheError) {
  const QueryResults all =
      this->all("SELECT 1; SELECT i, 1 / (3 - i) FROM generate_series(1, 9) i");
  ASSERT_EQ(all.results.size(), 1U);
  ASSERT_TRUE(all.error);
  EXPECT_EQ(all.error->sqlstate, "22012");
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_F(LiveQuery, GivesAnEmptyResultForAnEmptyText) {
  const QueryResults all = this->all(" ; -- nothing");
  ASSERT_EQ(all.results.size(), 1U);
  EXPECT_EQ(all.results[0].command_tag, "");
  EXPECT_FALSE(all.error);
}

TEST_F(LiveQuery, KnowsTheTransactionStatus) {
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::idle);
  all("BEGIN");
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::in_transaction);
  all("SELECT 1/0");
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::failed);
  EXPECT_EQ(all("SELECT 1").error.value().sqlstate, "25P02");
  all("ROLLBACK");
  EXPECT_EQ(connection().dialogue().transaction_status(), TransactionStatus::idle);
}

TEST_F(LiveQuery, KeepsNamedStatementsAndDescribesThem) {
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

TEST_F(LiveQuery, GoesOnWithASuspendedPortal) {
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

TEST_F(LiveQuery, AnswersAFlushWithoutASync) {
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

TEST_F(LiveQuery, SkipsToTheSyncAfterAnError) {
  Requests requests;
  requests.parse("", "SELECT 1/0").bind("", "", {}).execute("");
  requests.parse("", "SELECT 1").bind("", "", {}).execute("").sync();
  requests.parse("", "").bind("", "", {}).describe_portal("").execute("").sync();
  EXPECT_EQ(seen(requests).replies, "12EZ12nIZ");
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * 4096;
}

asio::awaitable<void> count_rows(Connection& connection, std::size_t& bytes) {
  Requests requests;
  requests.parse("", "SELECT i, repeat('x', 10000) FROM generate_series(1, 40000) i");
  requests.bind("", "", {}).execute("").sync();
  connection.send(requests);
  while (!connection.dialogue().idle()) {
    const Reply reply = co_await connection.next_reply();
    const auto* row = std::get_if<protocol::DataRow>(&reply);
    if (row != nullptr) bytes += row->values[1]->size();
  }
}

TEST_F(LiveQuery, ReadsALargeResultRowByRowWithoutHoldingIt) {
  const std::size_t before = resident_bytes();
  std::size_t bytes = 0;
  test::run(session_->io, count_rows(connection(), bytes));
  EXPECT_EQ(bytes, 400'000'000U);
  EXPECT_LT(resident_bytes(), before + 100'000'000U);
}

// Of all our connections to the server.
void shrink_socket_buffers(std::uint16_t port) {
  for (int socket = 3; socket < 256; ++socket) {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
    constexpr int bytes = 4096;
    ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
    ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
  }
}

struct Echoes {
  int count = 2000;
  bool sync_each = false;
  std::size_t most_unsent = 1024 * 1024;
  int wrong = -1;  // this one fails

  int sent = 0;
  int rows = 0;
  std::string order;  // E and Z
  std::size_t unsent_seen = 0;
};

void send_echo(Connection& connection, Echoes& echoes) {
  const int number = echoes.sent++;
  std::string text = std::to_string(number) + ":";
  text.resize(100'000, 'x');
  const std::vector<BindParameter> values = {{.value = text, .format = FormatCode::text}};
  Requests requests;
  requests.parse("", number == echoes.wrong ? "SELECT $1::int" : "SELECT $1::text");
  requests.bind("", "", values).execute("");
  if (echoes.sync_each || echoes.sent == echoes.count) requests.sync();
  connection.send(requests);
  echoes.unsent_seen = std::max(echoes.unsent_seen, connection.unsent_bytes());
}

asio::awaitable<void> pipeline(Connection& connection, Echoes& echoes) {
  while (echoes.sent < echoes.count || !connection.dialogue().idle()) {
    while (echoes.sent < echoes.count && connection.unsent_bytes() < echoes.most_unsent) {
      send_echo(connection, echoes);
    }
    std::optional<Reply> reply;
    if (echoes.sent < echoes.count) {
      reply = co_await connection.next_reply_or_sent(echoes.most_unsent / 2);
    } else {
      reply = co_await connection.next_reply();
    }
    if (!reply) continue;
    if (const auto* row = std::get_if<protocol::DataRow>(&*reply)) {
      const std::string start = std::to_string(echoes.rows) + ":";
      if (row->values[0]->starts_with(start) && row->values[0]->size() == 100'000) ++echoes.rows;
    } else if (std::holds_alternative<protocol::ErrorResponse>(*reply)) {
      echoes.order += 'E';
    } else if (std::holds_alternative<protocol::ReadyForQuery>(*reply)) {
      echoes.order += 'Z';
    }
  }
}

TEST_F(LiveQuery, PipelinesWithBothDirectionsFull) {
  for (const auto mode : {SslMode::disable, SslMode::require}) {
    auto target = this->target();
    target.ssl_mode = mode;
    Session session(target);
    shrink_socket_buffers(target.hosts[0].port);
    Echoes echoes;
    test::run(session.io, pipeline(session.connection, echoes));
    EXPECT_EQ(echoes.rows, 2000);
    EXPECT_LT(echoes.unsent_seen, 1'300'000U);
    EXPECT_EQ(session.value("SELECT 1"), "1");
  }
}

TEST_F(LiveQuery, PipelinesWhatIsHandedOverAtOnce) {
  shrink_socket_buffers(target().hosts[0].port);
  Echoes echoes;
  echoes.count = 1000;
  echoes.most_unsent = 200'000'000;
  test::run(session_->io, pipeline(connection(), echoes));
  EXPECT_EQ(echoes.rows, 1000);
  EXPECT_GT(echoes.unsent_seen, 50'000'000U);
}

TEST_F(LiveQuery, PipelinesWithASyncEach) {
  Echoes echoes;
  echoes.count = 100;
  echoes.sync_each = true;
  echoes.wrong = 99;
  test::run(session_->io, pipeline(connection(), echoes));
  EXPECT_EQ(echoes.rows, 99);
  EXPECT_EQ(echoes.order.substr(0, 99), std::string(99, 'Z'));
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_F(LiveQuery, PipelinesUpToTheError) {
  Echoes echoes;
  echoes.count = 300;
  echoes.wrong = 100;
  test::run(session_->io, pipeline(connection(), echoes));
  EXPECT_EQ(echoes.rows, 100);
  EXPECT_EQ(echoes.order.front(), 'E');
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_F(LiveQuery, CallsFunctions) {
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

TEST_F(LiveQuery, TakesNoticesParametersAndNotificationsInAnyFlow) {
  all("LISTEN here; SET client_min_messages = notice");
  Requests requests;
  for (const auto* sql : {"SELECT 1", "NOTIFY here, 'own'", "SET application_name = 'changed'",
                          "DO $$ BEGIN RAISE NOTICE 'look'; END $$"}) {
    requests.parse("", sql).bind("", "", {}).execute("").sync();
  }
  EXPECT_EQ(seen(requests).replies, "12DCZ12CZ12CZ12CZ");
  const auto own = connection().take_notifications();
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own[0].process_id, connection().server().process_id);
  EXPECT_EQ(own[0].channel, "here");
  EXPECT_EQ(own[0].payload, "own");
  EXPECT_EQ(connection().server().parameters.at("application_name"), "changed");
  EXPECT_EQ(connection().take_notices().back().message, "look");

  Session other(target());
  other.query("NOTIFY here, 'another'");
  test::run(session_->io, connection().wait_notification());
  EXPECT_EQ(connection().take_notifications().at(0).payload, "another");
  EXPECT_THAT(connection().take_notifications(), IsEmpty());
}

// Runs `flow`, and `act` a little later.
template <typename Act>
void run_with(asio::io_context& io, asio::awaitable<void> flow, Act act) {
  asio::steady_timer timer(io, std::chrono::milliseconds(200));
  std::exception_ptr failure;
  timer.async_wait([&](const boost::system::error_code&) {
    asio::co_spawn(io, act(), [&](std::exception_ptr error) { failure = error; });
  });
  auto result = asio::co_spawn(io, std::move(flow), asio::use_future);
  io.restart();
  io.run();
  if (failure) std::rethrow_exception(failure);
  result.get();
}

TEST_F(LiveQuery, CancelsWithTheTlsOfTheSession) {
  for (const auto mode : {SslMode::disable, SslMode::require, SslMode::verify_full}) {
    auto target = this->target();
    target.ssl_mode = mode;
    if (mode == SslMode::verify_full) {
      target.hosts[0].name = "localhost";
      target.hosts[0].address = "127.0.0.1";
      target.ssl_root_cert = test::certificate("root.crt");
    }
    Session session(target);
    Requests requests;
    requests.query("SELECT pg_sleep(60)");
    Seen seen;
    run_with(session.io, exchange(session.connection, requests, seen),
             [&] { return session.connection.cancel(); });
    EXPECT_EQ(seen.replies, "TEZ");
    EXPECT_THAT(seen.errors, ElementsAre("57014"));
    EXPECT_EQ(session.value("SELECT 1"), "1");
  }
}

TEST_F(LiveQuery, CancelsNothingWhenNothingIsUnderWay) {
  test::run(session_->io, connection().cancel());
  EXPECT_EQ(session_->value("SELECT 1"), "1");
}

TEST_F(LiveQuery, TellsThatItsProcessWasTerminatedInEachFlow) {
  const std::vector<BindParameter> sleep = {{.value = "60", .format = FormatCode::text}};
  Requests simple;
  simple.query("SELECT pg_sleep(60)");
  Requests extended;
  extended.parse("", "SELECT pg_sleep(60)").bind("", "", {}).execute("").sync();
  Requests pipelined;
  pipelined.parse("", "SELECT 1; ").bind("", "", {}).execute("").bind("", "", {}).execute("");
  pipelined.parse("", "SELECT pg_sleep(60)").bind("", "", {}).execute("").sync();
  Requests function;
  function.function_call(2626, sleep, FormatCode::text);  // pg_sleep
  Requests copy;
  copy.query("COPY (SELECT pg_sleep(60)) TO STDOUT");
  for (const auto* requests : {&simple, &extended, &pipelined, &function, &copy}) {
    Session session(target());
    const std::string command = "SELECT pg_terminate_backend(" +
                                std::to_string(session.connection.server().process_id) + ")";
    Seen seen;
    asio::steady_timer timer(session.io, std::chrono::milliseconds(200));
    timer.async_wait([&](const boost::system::error_code&) { session_->query(command); });
    try {
      test::run(session.io, exchange(session.connection, *requests, seen));
      ADD_FAILURE() << seen.replies;
    } catch (const protocol::ServerError& error) {
      EXPECT_EQ(error.sqlstate(), "57P01");
    }
    EXPECT_THROW(session.query("SELECT 1"), ConnectionError);
  }
}

TEST_F(LiveQuery, TellsThatItsProcessWasTerminatedWhileItWaitedForNotifications) {
  Session other(target());
  all("LISTEN here");
  other.query("SELECT pg_terminate_backend(" + std::to_string(connection().server().process_id) +
              ")");
  EXPECT_THROW(test::run(session_->io, connection().wait_notification()), protocol::ServerError);
}

}  // namespace
}  // namespace pgcourier::replication
