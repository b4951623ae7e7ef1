// One connection to PostgreSQL, from the address to CopyBoth.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/connection_string.hpp"
#include "protocol/query_dialogue.hpp"
#include "protocol/requests.hpp"
#include "protocol/server_error.hpp"
#include "protocol/startup_handshake.hpp"
#include "protocol/wire_reader.hpp"
#include "replication/asio.hpp"
#include "replication/connection_error.hpp"
#include "replication/read_counts.hpp"
#include "replication/secure_session.hpp"

namespace pgcourier::replication {

// One row of a text-format result.
using ResultRow = std::vector<std::optional<std::string>>;

// Of one statement. Without columns if it gives no rows; an empty text has no tag either.
struct QueryResult {
  std::vector<std::string> columns;
  std::vector<ResultRow> rows;
  std::string command_tag;
};

// Of all statements, up to the one that failed, if any did.
struct QueryResults {
  std::vector<QueryResult> results;
  std::optional<protocol::ServerFields> error;
};

// What NOTIFY brought, §55.2.7.
struct Statement {
  std::string_view sql;
  std::span<const std::optional<std::string>> parameters;
};

struct Notification {
  std::int32_t process_id = 0;  // who sent it
  std::string channel;
  std::string payload;
};

enum class Purpose {
  sql,                   // an ordinary session
  replication,           // replication=database: a walsender that takes SQL too
  physical_replication,  // replication=true: a walsender for no database, without SQL
};

// Moves bytes; the decisions are made in protocol/ (StartupHandshake, MessageFramer,
// QueryDialogue). Owned by one session and used from its io thread only. Every co_await may throw
// ConnectionError, protocol::ServerError, protocol::ProtocolError or protocol::AuthenticationError;
// after any but a non-fatal ServerError the connection is only good for destruction.
//
// There is one way to ask: send() takes any number of requests, next_reply() gives what comes back,
// one reply at a time, in order. query(), copy_in() and copy_out() (replication/copy.hpp) are made
// of these two. What the server says of its own accord is kept on the way, whatever is under way:
// take_notices(), take_notifications(), server().parameters.
class Connection {
 public:
  // `max_message_bytes` bounds any one message of the server, and what one query() collects:
  // ProtocolError.
  Connection(asio::io_context& io, std::size_t max_message_bytes);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Tries the hosts in order until one accepts us and has the wanted target_session_attrs;
  // connects, starts encryption if asked to, authenticates and waits for ReadyForQuery (§55.2.1).
  // `session_settings` go into the StartupMessage, so they hold from the first query on.
  asio::awaitable<void> open(
      const config::ConnectionTarget& target, Purpose purpose,
      const std::vector<std::pair<std::string, std::string>>& session_settings);

  // From now on: what is asked must be answered whole within `limit`, else the connection ends with
  // a ConnectionError, also if the server drips bytes. Not for copy-both. 0, the default: never.
  void limit_answers(std::chrono::milliseconds limit);
  std::chrono::milliseconds answer_limit() const;

  // Simple Query (§55.2.2) of one or more statements; the last one's result. Works on a walsender,
  // for replication commands too. As all queries here: what is left of earlier requests is read
  // and dropped first. COPY is refused: ProtocolError.
  asio::awaitable<QueryResult> query(std::string_view sql);
  // The result of each statement; an error is given with the results before it.
  asio::awaitable<QueryResults> query_all(std::string_view sql);

  // Extended Query (§55.2.3): one statement with text parameters.
  asio::awaitable<QueryResult> query(std::string_view sql,
                                     const std::vector<std::optional<std::string>>& parameters);

  // Several such statements in one round trip (§55.2.4), a transaction each; the result of each.
  // The first error is thrown when all are answered.
  asio::awaitable<std::vector<QueryResult>> query_each(const std::vector<Statement>& statements);

  // Requests behind those already sent, without waiting for their answers (§55.2.4). What the
  // socket does not take is kept and goes out while replies are awaited, so two full directions
  // don't block each other; who sends much looks at unsent_bytes(). std::logic_error before the
  // end of a copy that is ours to end.
  void send(const protocol::Requests& requests);
  // The next reply; views in it are valid until the next call. ErrorResponse is a reply like
  // others; a fatal one is thrown. std::logic_error if all is answered. What is sent without a
  // Sync needs a Flush, else the server keeps its answers to itself.
  asio::awaitable<protocol::Reply> next_reply();
  // The same; or nothing, as soon as no more than `unsent` bytes wait to be sent: time for more.
  asio::awaitable<std::optional<protocol::Reply>> next_reply_or_sent(std::size_t unsent);
  // What is under way, and the transaction status.
  const protocol::QueryDialogue& dialogue() const;

  // Ends what is under way and reads and drops its replies, so that the next request's are the next
  // to come. Not possible in copy-both mode: ProtocolError.
  asio::awaitable<void> finish();

  // CancelRequest (§55.2.8) for what is under way, over a connection of its own to the same address
  // and encrypted as this one is; returns when the server has taken it. What was under way ends
  // as if not cancelled if that came too late. Safe while next_reply() is suspended.
  asio::awaitable<void> cancel() const;

  // Sends START_REPLICATION … and returns in copy-both mode (§55.4).
  asio::awaitable<void> start_copy_both(std::string_view command);

  // In copy-both mode: waits for bytes from the server, coalescing as read_policy decides. Returns
  // after at least one byte came, at once if a whole message is there. ConnectionError at the end
  // of the stream.
  asio::awaitable<void> read_some();
  // The stream is busy: more is on its way already.
  bool coalescing() const;

  // A message has come in part.
  bool in_message() const;

  // The next whole CopyData payload that read_some() brought, if any; views are valid until the
  // next read_some(). Answers to notices and parameter changes are kept apart; ErrorResponse throws
  // ServerError. After the server's CopyDone: nothing more comes and server_ended_copy() is true.
  std::optional<protocol::ByteView> next_copy_data();
  bool server_ended_copy() const;

  // Payload of one CopyData, sent after what was sent before, without waiting; dropped unless the
  // server takes copy data. A failure surfaces in read_some() or next_reply(). Never blocks, and is
  // safe while those are suspended.
  void send_copy_data(std::string_view payload);
  // Orderly end (§55.2.6): CopyDone after all that was sent; of copy-both: read on until
  // server_ended_copy(). A copy to the server in the extended protocol needs a Sync only now.
  void send_copy_done();
  // Instead of it in a copy to the server: ErrorResponse follows, with this reason.
  void send_copy_fail(std::string_view reason);
  // Bytes handed to send… that the socket has not taken yet; none once that has failed: read, too.
  std::size_t unsent_bytes() const;
  // Why nothing goes out any more, for who does not read; empty while it does.
  std::string send_failure() const;

  // Terminate (§55.2.9), then closes; at most a second.
  asio::awaitable<void> terminate();
  // Closes at once. Whoever waits in read_some() gets ConnectionError.
  void close();

  // Notices and notifications received since the last call. If nobody asks, only the newest ones
  // are kept: 1 MiB of notices, 8 MiB of notifications.
  std::vector<protocol::ServerFields> take_notices();
  std::vector<Notification> take_notifications();
  // While nothing is under way: until take_notifications() has something to give.
  asio::awaitable<void> wait_notification();

  const protocol::ServerSession& server() const;
  int server_version() const;  // as server_version_num: 150018
  // The host that was reached, with its address: to come back to the same server.
  const config::Host& host() const;
  const std::string& peer() const;  // "db1:5432" or the socket's path, for messages
  Encryption encryption() const;
  bool uses_tls() const { return encryption() == Encryption::tls; }
  ReadCounts read_counts() const;  // since open()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// For what may rightly take another time than what was asked before; ends with its scope.
class AnswerLimit {
 public:
  AnswerLimit(Connection& connection, std::chrono::milliseconds limit)
      : connection_(connection), before_(connection.answer_limit()) {
    connection.limit_answers(limit);
  }
  ~AnswerLimit() { connection_.limit_answers(before_); }
  AnswerLimit(const AnswerLimit&) = delete;
  AnswerLimit& operator=(const AnswerLimit&) = delete;

 private:
  Connection& connection_;
  std::chrono::milliseconds before_;
};

}  // namespace pgcourier::replication
