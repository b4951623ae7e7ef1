// Queries, pipelines and copies.
#include "replication/copy.hpp"
#include "tests/replication/hostile_dialogue.hpp"

namespace pgcourier::replication::test {
namespace {

asio::awaitable<void> read_all(Connection& connection) {
  while (!connection.dialogue().idle()) static_cast<void>(co_await connection.next_reply());
}

asio::awaitable<void> ask(Connection& connection) {
  static_cast<void>(co_await connection.query("SELECT 1"));
}
asio::awaitable<void> ask_with_parameters(Connection& connection) {
  const std::vector<std::optional<std::string>> parameters = {"1", std::nullopt};
  static_cast<void>(co_await connection.query("SELECT $1, $2", parameters));
}
asio::awaitable<void> pipeline(Connection& connection) {
  protocol::Requests requests;
  requests.parse("", "SELECT 1").bind("", "", {}).execute("").sync();
  requests.parse("", "SELECT 2").bind("", "", {}).execute("").sync();
  connection.send(requests);
  co_await read_all(connection);
}
asio::awaitable<void> call_function(Connection& connection) {
  protocol::Requests requests;
  requests.function_call(1, {}, protocol::FormatCode::text);
  connection.send(requests);
  co_await read_all(connection);
}
asio::awaitable<void> copy_rows_in(Connection& connection) {
  protocol::Requests requests;
  requests.query("COPY t FROM STDIN");
  int pieces = 0;
  const CopySource source = [&]() -> std::optional<std::string_view> {
    return ++pieces > 2 ? std::nullopt : std::optional<std::string_view>("1\n");
  };
  static_cast<void>(co_await copy_in(connection, requests, source));
}
asio::awaitable<void> copy_rows_out(Connection& connection) {
  protocol::Requests requests;
  requests.query("COPY t TO STDOUT");
  std::string rows;
  const CopySink sink = [&](std::string_view row) { rows += row; };
  static_cast<void>(co_await copy_out(connection, requests, sink));
}

// The rows of a result are counted by nobody, and a Query may have more statements than one.
const std::string good_statement = "((T (D )*)?C |I )";
const std::string good_query = '(' + good_statement + ")+Z ";
// An error in its turn is an answer like others, and may have others in its wake.
const std::string good_pipeline = "(1 2 (D )*(C |I |s )|(1 (2 (D )*)?)?(E )+)Z ";

}  // namespace

std::vector<Dialogue> query_dialogues() {
  const std::string begun = welcome();
  const std::size_t opened = split_messages(begun).size();
  const std::string row = one_row("a", "1") + command_complete("SELECT 1");
  const std::string complete = message('1', "") + message('2', "");
  const Turn unanswered = answer("");
  return {
      {.name = "query",
       .turns = {start(begun), answer(row + ready_for_query())},
       .act = ask,
       .good = good_start + good_query,
       .spoiled_from = opened},
      {.name = "several results",
       .turns = {start(begun),
                 answer(row + command_complete("SET") + message('I', "") + notification("late") +
                        error_response("ERROR", "22012") + ready_for_query())},
       .act = ask,
       .good = good_start + good_query,
       .spoiled_from = opened,
       .honest_error = "sorry"},
      {.name = "extended query",
       .turns = {start(begun), unanswered, unanswered, unanswered, unanswered,
                 answer(complete + row + ready_for_query())},
       .act = ask_with_parameters,
       .good = good_start + "1 2 (T (D )*C |n (C |I ))Z ",
       .spoiled_from = opened},
      {.name = "pipeline",
       .turns = {start(begun), unanswered, unanswered, unanswered,
                 answer(complete + message('D', "\0\1"s + big_endian(1) + "1") +
                        command_complete("SELECT 1") + ready_for_query()),
                 unanswered, unanswered, unanswered,
                 answer(message('1', "") + error_response("ERROR", "22012") + ready_for_query())},
       .act = pipeline,
       .good = good_start + good_pipeline + good_pipeline,
       .spoiled_from = opened},
      {.name = "function call",
       .turns = {start(begun), answer(message('V', big_endian(2) + "ok") + ready_for_query())},
       .act = call_function,
       .good = good_start + "(V |E )Z ",
       .spoiled_from = opened},
      {.name = "COPY in",
       .turns = {start(begun), answer(message('G', "\0\0\1\0\0"s)), unanswered, unanswered,
                 answer(command_complete("COPY 2") + ready_for_query())},
       .act = copy_rows_in,
       .good = good_start + "(C )*G (C )+Z ",
       .spoiled_from = opened},
      {.name = "COPY out",
       .turns = {start(begun),
                 answer(message('H', "\0\0\1\0\0"s) + copy_data("1\n") + copy_data("2\n") +
                        message('c', "") + command_complete("COPY 2") + ready_for_query())},
       .act = copy_rows_out,
       .good = good_start + "(C )*H (d )*c (C )+Z ",
       .any_body = {"d"},
       .spoiled_from = opened},
  };
}

}  // namespace pgcourier::replication::test
