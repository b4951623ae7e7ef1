// Requests and replies on one session: what Connection and start-up make their queries of.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/message_framer.hpp"
#include "protocol/query_dialogue.hpp"
#include "protocol/requests.hpp"
#include "replication/connection.hpp"
#include "replication/message_stream.hpp"

namespace pgcourier::replication {

// Nobody has to ask for them, so only the newest are kept, as far as they take no more than
// `max_bytes`.
template <typename T>
class Newest {
 public:
  explicit Newest(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void keep(T newest, std::size_t message_bytes) {
    const std::size_t bytes = sizeof(T) + message_bytes;
    kept_.emplace_back(std::move(newest), bytes);
    bytes_ += bytes;
    while (bytes_ > max_bytes_) {
      bytes_ -= kept_.front().second;
      kept_.pop_front();
    }
  }
  bool empty() const { return kept_.empty(); }
  std::vector<T> take() {
    std::vector<T> taken;
    taken.reserve(kept_.size());
    for (auto& kept : kept_) taken.push_back(std::move(kept.first));
    kept_.clear();
    bytes_ = 0;
    return taken;
  }

 private:
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::deque<std::pair<T, std::size_t>> kept_;
};

constexpr std::size_t max_notice_bytes = 1024 * 1024;
constexpr std::size_t max_notification_bytes = 8 * 1024 * 1024;

struct SessionState {
  protocol::ServerSession server;
  protocol::QueryDialogue dialogue;
  // What the server tells at any time, §55.2.7.
  Newest<protocol::ServerFields> notices{max_notice_bytes};
  Newest<Notification> notifications{max_notification_bytes};

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

// Extended Query: one statement with text parameters, and a Sync.
void add_statement(protocol::Requests& requests, const Statement& statement);

}  // namespace pgcourier::replication
