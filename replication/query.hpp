// Requests and replies on one session: what Connection and start-up make their queries of.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/message_framer.hpp"
#include "protocol/query_dialogue.hpp"
#include "protocol/requests.hpp"
#include "replication/connection.hpp"
#include "replication/message_stream.hpp"

namespace pgcourier::replication {

struct SessionState {
  protocol::ServerSession server;
  protocol::QueryDialogue dialogue;
  // What the server tells at any time, §55.2.7.
  std::vector<protocol::ServerFields> notices;
  std::vector<Notification> notifications;

  std::chrono::milliseconds answer_limit{0};  // as Connection::limit_answers()
  bool answer_limited = false;                // the transport has a deadline

  // Whether it was NoticeResponse, ParameterStatus or NotificationResponse, and so is dealt with.
  bool take(const protocol::FramedMessage& message);
};

void send_requests(MessageStream& stream, SessionState& state, const protocol::Requests& requests);

// A reply that has arrived whole. Throws a fatal ErrorResponse as ServerError: nothing follows it.
std::optional<protocol::Reply> buffered_reply(MessageStream& stream, SessionState& state);

// As Connection::next_reply() and next_reply_or_sent().
asio::awaitable<protocol::Reply> next_reply(MessageStream& stream, SessionState& state);
asio::awaitable<std::optional<protocol::Reply>> next_reply_or_sent(MessageStream& stream,
                                                                   SessionState& state,
                                                                   std::size_t unsent);

// Ends what is under way, reading and dropping its replies. Throws ProtocolError in copy-both mode.
asio::awaitable<void> finish_requests(MessageStream& stream, SessionState& state);

// Sends `requests`, which must end in a Query or a Sync, and reads until all is answered.
asio::awaitable<QueryResults> results_of(MessageStream& stream, SessionState& state,
                                         const protocol::Requests& requests);

// The last result; throws the error, if there is one, as ServerError.
QueryResult last_of(QueryResults&& results);

// Extended Query: one statement with text parameters.
protocol::Requests extended_query(std::string_view sql,
                                  const std::vector<std::optional<std::string>>& parameters);

}  // namespace pgcourier::replication
