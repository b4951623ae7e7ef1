#include "replication/query.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/query_messages.hpp"

namespace pgcourier::replication {
namespace {

using protocol::Reply;

// Makes results of replies.
class Collector {
 public:
  explicit Collector(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // False for a reply that has no place in a query's answer.
  bool take(const Reply& reply) {
    if (const auto* row = std::get_if<protocol::DataRow>(&reply)) {
      add(*row);
    } else if (const auto* description = std::get_if<protocol::RowDescription>(&reply)) {
      describe(*description);
    } else if (const auto* complete = std::get_if<protocol::CommandComplete>(&reply)) {
      result_.command_tag = complete->tag;
      finish();
    } else if (std::holds_alternative<protocol::EmptyQueryResponse>(reply)) {
      finish();
    } else if (const auto* error = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (!all_.error) all_.error = error->fields;
      result_ = {};  // of the statement that failed in its middle
    } else {
      return std::holds_alternative<protocol::ParseComplete>(reply) ||
             std::holds_alternative<protocol::BindComplete>(reply) ||
             std::holds_alternative<protocol::NoData>(reply) ||
             std::holds_alternative<protocol::ReadyForQuery>(reply);
    }
    return true;
  }

  QueryResults&& take_all() { return std::move(all_); }

 private:
  void describe(const protocol::RowDescription& description) {
    for (const auto& field : description.fields) {
      count(sizeof(std::string) + field.name.size());
      result_.columns.emplace_back(field.name);
    }
  }
  void add(const protocol::DataRow& row) {
    if (row.values.size() != result_.columns.size()) {
      throw protocol::ProtocolError("DataRow", std::to_string(row.values.size()) + " values for " +
                                                   std::to_string(result_.columns.size()) +
                                                   " columns");
    }
    count(sizeof(ResultRow));
    auto& values = result_.rows.emplace_back();
    values.reserve(row.values.size());
    for (const auto& value : row.values) {
      count(sizeof(std::optional<std::string>) + (value ? value->size() : 0));
      values.push_back(value ? std::optional<std::string>(*value) : std::nullopt);
    }
  }
  void finish() {
    count(sizeof(QueryResult) + result_.command_tag.size());
    all_.results.push_back(std::exchange(result_, {}));
  }
  void count(std::size_t bytes) {
    if (bytes > max_bytes_ - bytes_) {
      throw protocol::ProtocolError(
          "query", "the answer takes more than " + std::to_string(max_bytes_) + " bytes");
    }
    bytes_ += bytes;
  }

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  QueryResult result_;  // of the statement under way
  QueryResults all_;
};

// After what may have begun or ended a wait for answers.
void mind_answer_limit(MessageStream& stream, SessionState& state) {
  const bool waits =
      state.answer_limit.count() > 0 && !state.dialogue.idle() && !state.dialogue.in_copy_both();
  if (waits == state.answer_limited) return;
  state.answer_limited = waits;
  if (waits) {
    stream.transport().set_deadline(
        state.answer_limit,
        "no whole answer within " + std::to_string(state.answer_limit.count()) + " ms");
  } else {
    stream.transport().clear_deadline();
  }
}

}  // namespace

bool SessionState::take(const protocol::FramedMessage& message) {
  switch (message.type) {
    case 'N':
      notices.keep(protocol::read_server_fields(message.body), message.size);
      return true;
    case 'S':
      protocol::keep_parameter(server, protocol::read_parameter_status(message.body));
      return true;
    case 'A': {
      const auto response = protocol::read_notification_response(message.body);
      notifications.keep(Notification{.process_id = response.process_id,
                                      .channel = std::string(response.channel),
                                      .payload = std::string(response.payload)},
                         message.size);
      return true;
    }
    default:
      return false;
  }
}

void send_requests(MessageStream& stream, SessionState& state, const protocol::Requests& requests) {
  state.dialogue.asked(requests.asked());
  stream.transport().send(requests.bytes());
  mind_answer_limit(stream, state);
}

std::optional<Reply> buffered_reply(MessageStream& stream, SessionState& state) {
  while (const auto message = stream.next_buffered()) {
    if (state.take(*message)) continue;
    Reply reply = state.dialogue.on_message(*message);
    mind_answer_limit(stream, state);
    if (auto* error = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (protocol::is_fatal(error->fields)) throw protocol::ServerError(std::move(error->fields));
    }
    return reply;
  }
  mind_answer_limit(stream, state);  // the end of copy-both leaves replies to wait for
  return std::nullopt;
}

asio::awaitable<Reply> next_reply(MessageStream& stream, SessionState& state) {
  if (state.dialogue.idle()) throw std::logic_error("a reply is awaited to nothing");
  for (;;) {
    std::optional<Reply> reply = buffered_reply(stream, state);
    if (reply) co_return std::move(*reply);
    co_await stream.read_some();
  }
}

asio::awaitable<std::optional<Reply>> next_reply_or_sent(MessageStream& stream, SessionState& state,
                                                         std::size_t unsent) {
  // The socket is looked at in any case: who has much to send must hear of an error.
  for (bool looked = false;; looked = true) {
    std::optional<Reply> reply = buffered_reply(stream, state);
    if (reply || (looked && stream.transport().unsent_bytes() <= unsent)) co_return reply;
    co_await stream.read_some_or_sent(unsent);
  }
}

asio::awaitable<void> finish_requests(MessageStream& stream, SessionState& state) {
  protocol::QueryDialogue& dialogue = state.dialogue;
  for (;;) {
    if (dialogue.in_copy_both()) {
      throw protocol::ProtocolError("query", "not possible while the server streams");
    }
    if (dialogue.owes_copy_end()) {
      std::string end;
      if (dialogue.in_copy_in()) {
        protocol::append_copy_fail(end, "the copy was given up");
      } else {
        protocol::append_copy_done(end);
      }
      stream.transport().send(end);
      dialogue.copy_ended();
    }
    if (dialogue.needs_sync()) {
      protocol::Requests sync;
      send_requests(stream, state, sync.sync());
    }
    if (dialogue.idle()) co_return;
    static_cast<void>(co_await next_reply(stream, state));
  }
}

asio::awaitable<QueryResults> results_of(MessageStream& stream, SessionState& state,
                                         const protocol::Requests& requests) {
  co_await finish_requests(stream, state);
  send_requests(stream, state, requests);
  Collector collector(stream.max_message_bytes());
  while (!state.dialogue.idle()) {
    const std::optional<Reply> reply = buffered_reply(stream, state);
    if (!reply) {
      co_await stream.read_some();
    } else if (!collector.take(*reply)) {
      throw protocol::ProtocolError("query", "a reply that is not a query's, such as COPY's");
    }
  }
  co_return collector.take_all();
}

QueryResult last_of(QueryResults&& results) {
  if (results.error) throw protocol::ServerError(std::move(*results.error));
  if (results.results.empty()) throw protocol::ProtocolError("query", "the answer has no result");
  return std::move(results.results.back());
}

void add_statement(protocol::Requests& requests, const Statement& statement) {
  std::vector<protocol::BindParameter> values;
  values.reserve(statement.parameters.size());
  for (const auto& parameter : statement.parameters) {
    auto& value = values.emplace_back();
    if (parameter) value.value = *parameter;
  }
  requests.parse("", statement.sql).bind("", "", values).describe_portal("").execute("").sync();
}

}  // namespace pgcourier::replication
