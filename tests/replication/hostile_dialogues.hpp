// The dialogues that a hostile server may spoil: what an honest one says, and what we do.
#pragma once

#include <memory>
#include <ostream>
#include <vector>

#include "protocol/base64.hpp"
#include "protocol/scram_proof.hpp"
#include "replication/copy.hpp"
#include "tests/replication/hostile_server.hpp"

namespace pgcourier::replication::test {

struct Dialogue {
  std::string name;
  std::vector<Turn> turns;
  std::function<asio::awaitable<void>(Connection&)> act;  // once it is open; may be empty
  Purpose purpose = Purpose::sql;
  config::SslMode ssl_mode = config::SslMode::disable;
  std::uint32_t protocol_version = protocol::protocol_3_0;
  std::size_t spoiled_from = 0;  // what other dialogues begin with is spoiled there
};

// For gtest.
inline void PrintTo(const Dialogue& dialogue, std::ostream* out) { *out << dialogue.name; }

inline Turn start(const std::string& says) {
  return {Turn::Reads::untyped, [says](const std::string&) { return says; }};
}
inline Turn answer(const std::string& says) {
  return {Turn::Reads::message, [says](const std::string&) { return says; }};
}

// An honest server that knows the password "pencil".
inline std::vector<Turn> scram_turns() {
  const auto first_bare = std::make_shared<std::string>();
  const auto server_first = std::make_shared<std::string>();
  return {start(message('R', big_endian(10) + "SCRAM-SHA-256\0\0"s)),
          {Turn::Reads::message,
           [=](const std::string& heard) {
             const auto at = heard.find("n=,r=");
             if (at == std::string::npos) return std::string();
             *first_bare = heard.substr(at);
             *server_first = "r=" + first_bare->substr(5) + "server,s=QUJD,i=2";
             return message('R', big_endian(11) + *server_first);
           }},
          {Turn::Reads::message, [=](const std::string& heard) {
             const auto proof_at = heard.find(",p=");
             if (proof_at == std::string::npos) return std::string();
             const auto proof = protocol::compute_scram_proof(
                 "pencil", "ABC", 2,
                 *first_bare + ',' + *server_first + ',' + heard.substr(1, proof_at - 1));
             return message('R', big_endian(12) +
                                     "v=" + protocol::encode_base64(proof.server_signature)) +
                    welcome();
           }}};
}

inline asio::awaitable<void> read_all(Connection& connection) {
  while (!connection.dialogue().idle()) static_cast<void>(co_await connection.next_reply());
}

inline asio::awaitable<void> ask(Connection& connection) {
  static_cast<void>(co_await connection.query("SELECT 1"));
}
inline asio::awaitable<void> ask_with_parameters(Connection& connection) {
  const std::vector<std::optional<std::string>> parameters = {"1", std::nullopt};
  static_cast<void>(co_await connection.query("SELECT $1, $2", parameters));
}
inline asio::awaitable<void> pipeline(Connection& connection) {
  protocol::Requests requests;
  requests.parse("", "SELECT 1").bind("", "", {}).execute("").sync();
  requests.parse("", "SELECT 2").bind("", "", {}).execute("").sync();
  connection.send(requests);
  co_await read_all(connection);
}
inline asio::awaitable<void> call_function(Connection& connection) {
  protocol::Requests requests;
  requests.function_call(1, {}, protocol::FormatCode::text);
  connection.send(requests);
  co_await read_all(connection);
}
inline asio::awaitable<void> copy_rows_in(Connection& connection) {
  protocol::Requests requests;
  requests.query("COPY t FROM STDIN");
  int pieces = 0;
  const CopySource source = [&]() -> std::optional<std::string_view> {
    return ++pieces > 2 ? std::nullopt : std::optional<std::string_view>("1\n");
  };
  static_cast<void>(co_await copy_in(connection, requests, source));
}
inline asio::awaitable<void> copy_rows_out(Connection& connection) {
  protocol::Requests requests;
  requests.query("COPY t TO STDOUT");
  std::string rows;
  const CopySink sink = [&](std::string_view row) { rows += row; };
  static_cast<void>(co_await copy_out(connection, requests, sink));
}
// Silence in a stream is its reader's business, who knows what is silent for good reason.
inline asio::awaitable<void> stream(Connection& connection) {
  asio::steady_timer silence(co_await asio::this_coro::executor, std::chrono::milliseconds(100));
  silence.async_wait([&](const boost::system::error_code& error) {
    if (!error) connection.close();
  });
  co_await connection.start_copy_both("START_REPLICATION SLOT s LOGICAL 0/0");
  std::size_t messages = 0;
  while (!connection.server_ended_copy()) {
    co_await connection.read_some();
    while (connection.next_copy_data()) ++messages;
    if (messages > 1) connection.send_copy_done();
  }
  silence.cancel();
  static_cast<void>(co_await connection.query("IDENTIFY_SYSTEM"));
}

inline std::vector<Dialogue> all_dialogues() {
  const std::string begun = welcome();
  const std::size_t opened = split_messages(begun).size();
  const std::string row = one_row("a", "1") + command_complete("SELECT 1");
  const std::string complete = message('1', "") + message('2', "");
  const std::string keepalive = copy_data("k" + std::string(16, '\0') + '\0');
  const Turn unanswered = answer("");
  using config::SslMode;
  return {
      {"trust", {start(notice("hello") + begun)}, {}},
      {"cleartext", {start(message('R', big_endian(3))), answer(begun)}, {}},
      {"md5", {start(message('R', big_endian(5) + "salt")), answer(begun)}, {}},
      {"SCRAM", scram_turns(), {}},
      {"refused", {start(error_response("FATAL", "28P01"))}, {}},
      {"no TLS", {start("N"), start(begun)}, {}, Purpose::sql, SslMode::prefer},
      {"version",
       {start(message('v', big_endian(3U << 16) + big_endian(0)) + begun)},
       {},
       Purpose::sql,
       SslMode::disable,
       protocol::protocol_3_2},
      {.name = "query",
       .turns = {start(begun), answer(row + ready_for_query())},
       .act = ask,
       .spoiled_from = opened},
      {.name = "several results",
       .turns = {start(begun),
                 answer(row + command_complete("SET") + message('I', "") + notification("late") +
                        error_response("ERROR", "22012") + ready_for_query())},
       .act = ask,
       .spoiled_from = opened},
      {.name = "extended query",
       .turns = {start(begun), unanswered, unanswered, unanswered, unanswered,
                 answer(complete + row + ready_for_query())},
       .act = ask_with_parameters,
       .spoiled_from = opened},
      {.name = "pipeline",
       .turns = {start(begun), unanswered, unanswered, unanswered,
                 answer(complete + message('D', "\0\0"s) + command_complete("SELECT 1") +
                        ready_for_query()),
                 unanswered, unanswered, unanswered,
                 answer(message('1', "") + error_response("ERROR", "22012") + ready_for_query())},
       .act = pipeline,
       .spoiled_from = opened},
      {.name = "function call",
       .turns = {start(begun), answer(message('V', big_endian(2) + "ok") + ready_for_query())},
       .act = call_function,
       .spoiled_from = opened},
      {.name = "COPY in",
       .turns = {start(begun), answer(message('G', "\0\0\1\0\0"s)), unanswered, unanswered,
                 answer(command_complete("COPY 2") + ready_for_query())},
       .act = copy_rows_in,
       .spoiled_from = opened},
      {.name = "COPY out",
       .turns = {start(begun),
                 answer(message('H', "\0\0\1\0\0"s) + copy_data("1\n") + copy_data("2\n") +
                        message('c', "") + command_complete("COPY 2") + ready_for_query())},
       .act = copy_rows_out,
       .spoiled_from = opened},
      {.name = "stream",
       .turns = {start(begun),
                 answer(copy_both_response() + keepalive + notice("in the stream") +
                        parameter_status("a", "b") + keepalive),
                 answer(message('c', "") + command_complete("COPY 0") + ready_for_query()),
                 answer(row + ready_for_query())},
       .act = stream,
       .purpose = Purpose::replication,
       .spoiled_from = opened},
  };
}

}  // namespace pgcourier::replication::test
