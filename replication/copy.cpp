#include "replication/copy.hpp"

#include <exception>
#include <utility>
#include <variant>

#include "protocol/query_dialogue.hpp"

namespace pgcourier::replication {
namespace {

// Given to the connection ahead of the socket, at most; and when to ask the source again.
constexpr std::size_t most_unsent = 256 * 1024;
constexpr std::size_t little_unsent = 64 * 1024;

// What became of one COPY.
struct Outcome {
  bool started = false;
  std::string tag;
  std::optional<protocol::ServerFields> error;
  std::exception_ptr source_error;

  // Anything but CopyData and CopyDone. `Start`: CopyInResponse or CopyOutResponse.
  template <typename Start>
  void take(protocol::Reply& reply) {
    if (std::holds_alternative<Start>(reply)) {
      if (std::exchange(started, true)) {
        throw protocol::ProtocolError("COPY", "one at a time");
      }
    } else if (const auto* complete = std::get_if<protocol::CommandComplete>(&reply)) {
      tag = complete->tag;
    } else if (auto* refusal = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (!error) error = std::move(refusal->fields);
    } else if (!std::holds_alternative<protocol::ParseComplete>(reply) &&
               !std::holds_alternative<protocol::BindComplete>(reply) &&
               !std::holds_alternative<protocol::ReadyForQuery>(reply)) {
      throw protocol::ProtocolError("COPY", "answered by something else");
    }
  }

  std::string result() {
    if (source_error) std::rethrow_exception(source_error);
    if (error) throw protocol::ServerError(std::move(*error));
    if (!started) throw protocol::ProtocolError("COPY", "not what was asked for, or not this way");
    return std::move(tag);
  }
};

// As much as is good before the server is listened to again; one that is fast takes all at once.
void feed(Connection& connection, const CopySource& source, Outcome& outcome) {
  try {
    std::size_t given = 0;
    while (connection.dialogue().takes_copy_data() && given < most_unsent &&
           connection.unsent_bytes() < most_unsent) {
      if (const auto piece = source()) {
        connection.send_copy_data(*piece);
        given += piece->size() + 1;  // an empty piece too
      } else {
        connection.send_copy_done();
      }
    }
  } catch (const std::exception& error) {
    outcome.source_error = std::current_exception();
    connection.send_copy_fail(error.what());
  }
}

}  // namespace

asio::awaitable<std::string> copy_in(Connection& connection, const protocol::Requests& requests,
                                     const CopySource& source) {
  const protocol::QueryDialogue& dialogue = connection.dialogue();
  co_await connection.finish();
  connection.send(requests);
  Outcome outcome;
  for (;;) {
    feed(connection, source, outcome);
    // Sent earlier, it would be lost in the copy.
    const bool over = !dialogue.owes_copy_end() && (outcome.started || dialogue.idle());
    if (dialogue.needs_sync() && (over || outcome.error)) {
      protocol::Requests sync;
      connection.send(sync.sync());
    }
    if (dialogue.idle()) co_return outcome.result();
    std::optional<protocol::Reply> reply;
    if (dialogue.takes_copy_data()) {
      reply = co_await connection.next_reply_or_sent(little_unsent);
    } else {
      reply = co_await connection.next_reply();
    }
    if (reply) outcome.take<protocol::CopyInResponse>(*reply);
  }
}

asio::awaitable<std::string> copy_out(Connection& connection, const protocol::Requests& requests,
                                      const CopySink& sink) {
  co_await connection.finish();
  connection.send(requests);
  Outcome outcome;
  while (!connection.dialogue().idle()) {
    protocol::Reply reply = co_await connection.next_reply();
    if (const auto* piece = std::get_if<protocol::CopyData>(&reply)) {
      sink(piece->data);
    } else if (!std::holds_alternative<protocol::CopyDone>(reply)) {
      outcome.take<protocol::CopyOutResponse>(reply);
    }
  }
  co_return outcome.result();
}

}  // namespace pgcourier::replication
