// One connection to PostgreSQL, from the address to CopyBoth.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/connection_string.hpp"
#include "protocol/server_error.hpp"
#include "protocol/startup_handshake.hpp"
#include "protocol/wire_reader.hpp"
#include "replication/asio.hpp"
#include "replication/read_counts.hpp"

namespace pgcourier::replication {

// Nobody could be reached, or the connection was lost or timed out. what() names host and port, and
// the reason of each place that was tried. Time may heal it.
class ConnectionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One row of a text-format result.
using ResultRow = std::vector<std::optional<std::string>>;

struct QueryResult {
  std::vector<std::string> columns;
  std::vector<ResultRow> rows;
  std::string command_tag;
};

enum class Purpose {
  sql,          // an ordinary session
  replication,  // replication=database: a walsender
};

// Moves bytes; the decisions are made in protocol/ (StartupHandshake, MessageFramer). Owned by one
// session and used from its io thread only. Every co_await may throw ConnectionError,
// protocol::ServerError, protocol::ProtocolError or protocol::AuthenticationError; after any but a
// non-fatal ServerError the connection is only good for destruction.
class Connection {
 public:
  // `max_message_bytes` bounds any one message of the server.
  Connection(asio::io_context& io, std::size_t max_message_bytes);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Tries the hosts in order until one accepts us and has the wanted target_session_attrs;
  // connects, starts TLS if asked to, authenticates and waits for ReadyForQuery (§55.2.1).
  // `session_settings` go into the StartupMessage, so they hold from the first query on.
  asio::awaitable<void> open(
      const config::ConnectionTarget& target, Purpose purpose,
      const std::vector<std::pair<std::string, std::string>>& session_settings);

  // Simple Query (§55.2.2) of one or more statements; the last result set. Works on a walsender,
  // for replication commands too.
  asio::awaitable<QueryResult> query(std::string_view sql);

  // Extended Query (§55.2.3): one statement with text parameters.
  asio::awaitable<QueryResult> query(std::string_view sql,
                                     const std::vector<std::optional<std::string>>& parameters);

  // Sends START_REPLICATION … and returns in copy-both mode (§55.4).
  asio::awaitable<void> start_copy_both(std::string_view command);

  // In copy-both mode: waits for bytes from the server, coalescing as read_policy decides. Returns
  // after at least one byte came, at once if a whole message is there. ConnectionError at the end
  // of the stream.
  asio::awaitable<void> read_some();
  // The stream is busy: more is on its way already.
  bool coalescing() const;

  // The next whole CopyData payload that read_some() brought, if any; views are valid until the
  // next read_some(). Answers to notices and parameter changes are kept apart; ErrorResponse throws
  // ServerError. After the server's CopyDone: nothing more comes and server_ended_copy() is true.
  std::optional<protocol::ByteView> next_copy_data();
  bool server_ended_copy() const;

  // Payload of one CopyData, sent after what was sent before, without waiting. A failure surfaces
  // in read_some(). Never blocks, and is safe while read_some() is suspended.
  void send_copy_data(std::string_view payload);
  // Orderly end (§55.2.6): CopyDone after all that was sent; read on until server_ended_copy().
  void send_copy_done();
  // Bytes handed to send_… that the socket has not taken yet.
  std::size_t unsent_bytes() const;

  // Terminate (§55.2.9), then closes; at most a second.
  asio::awaitable<void> terminate();
  // Closes at once. Whoever waits in read_some() gets ConnectionError.
  void close();

  // Notices received since the last call, for the log.
  std::vector<protocol::ServerFields> take_notices();

  const protocol::ServerSession& server() const;
  int server_version() const;  // as server_version_num: 150018
  // The host that was reached, with its address: to come back to the same server.
  const config::Host& host() const;
  const std::string& peer() const;  // "db1:5432" or the socket's path, for messages
  bool uses_tls() const;
  ReadCounts read_counts() const;  // since open()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgcourier::replication
