// Queries on one session: what is sent, and what comes back until ReadyForQuery, §55.2.2–55.2.3.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/message_framer.hpp"
#include "replication/connection.hpp"
#include "replication/message_stream.hpp"

namespace pgcourier::replication {

// What the server tells at any time, §55.2.7.
struct SessionState {
  protocol::ServerSession server;
  std::vector<protocol::ServerFields> notices;

  // Whether it was NoticeResponse, ParameterStatus or NotificationResponse, and so is dealt with.
  bool take(const protocol::FramedMessage& message);
};

// Whether the server ends the connection with this error.
bool is_fatal(const protocol::ServerFields& error);

std::string simple_query(std::string_view sql);
std::string extended_query(std::string_view sql,
                           const std::vector<std::optional<std::string>>& parameters);

// Reads up to ReadyForQuery; the last result set. Throws the first ErrorResponse as ServerError,
// after ReadyForQuery unless it is fatal.
asio::awaitable<QueryResult> read_result(MessageStream& stream, SessionState& state);

// Reads up to CopyBothResponse. Throws as read_result().
asio::awaitable<void> read_copy_both_response(MessageStream& stream, SessionState& state);

}  // namespace pgcourier::replication
