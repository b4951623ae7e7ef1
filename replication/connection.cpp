#include "replication/connection.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>
#include <variant>

#include "protocol/frontend_messages.hpp"
#include "protocol/server_version.hpp"
#include "replication/cancel.hpp"
#include "replication/message_stream.hpp"
#include "replication/query.hpp"
#include "replication/startup.hpp"

namespace pgcourier::replication {
namespace {

constexpr std::chrono::seconds terminate_limit{1};
constexpr std::chrono::milliseconds terminate_poll{5};

}  // namespace

struct Connection::Impl {
  Impl(asio::io_context& context, std::size_t message_bytes)
      : io(context), max_message_bytes(message_bytes) {}

  OpenedSession& opened() {
    if (!session.stream) throw ConnectionError("not connected");
    return session;
  }

  CancelTarget cancel_target() {
    const OpenedSession& open = opened();
    return {.target = target,
            .host = open.host,
            .endpoint = open.endpoint,
            .encryption = open.stream->transport().encryption(),
            .process_id = open.state.server.process_id,
            .cancel_key = open.state.server.cancel_key};
  }

  // Reuses its memory: status messages go out often.
  template <typename Append>
  void send(const Append& append) {
    if (!session.stream) return;
    outgoing.clear();
    append(outgoing);
    session.stream->transport().send(outgoing);
  }

  asio::io_context& io;
  std::size_t max_message_bytes;
  OpenedSession session;
  config::ConnectionTarget target;
  bool streamed = false;  // copy-both was started
  std::string outgoing;   // reused for each message
  std::string peer;
};

Connection::Connection(asio::io_context& io, std::size_t max_message_bytes)
    : impl_(std::make_unique<Impl>(io, max_message_bytes)) {}

Connection::~Connection() { close(); }

asio::awaitable<void> Connection::open(
    const config::ConnectionTarget& target, Purpose purpose,
    const std::vector<std::pair<std::string, std::string>>& session_settings) {
  const OpenRequest request{target, purpose, session_settings, impl_->max_message_bytes};
  OpenedSession session = co_await open_session(impl_->io, request);
  impl_->session = std::move(session);
  impl_->target = target;
  impl_->peer = impl_->session.stream->transport().peer();
}

void Connection::limit_answers(std::chrono::milliseconds limit) {
  impl_->session.state.answer_limit = limit;
}

std::chrono::milliseconds Connection::answer_limit() const {
  return impl_->session.state.answer_limit;
}

asio::awaitable<QueryResult> Connection::query(std::string_view sql) {
  QueryResults results = co_await query_all(sql);
  co_return last_of(std::move(results));
}

asio::awaitable<QueryResults> Connection::query_all(std::string_view sql) {
  OpenedSession& session = impl_->opened();
  protocol::Requests requests;
  requests.query(sql);
  co_return co_await results_of(*session.stream, session.state, requests);
}

asio::awaitable<QueryResult> Connection::query(
    std::string_view sql, const std::vector<std::optional<std::string>>& parameters) {
  OpenedSession& session = impl_->opened();
  protocol::Requests requests;
  add_statement(requests, Statement{sql, parameters});
  QueryResults results = co_await results_of(*session.stream, session.state, requests);
  co_return last_of(std::move(results));
}

asio::awaitable<std::vector<QueryResult>> Connection::query_each(
    const std::vector<Statement>& statements) {
  OpenedSession& session = impl_->opened();
  protocol::Requests requests;
  for (const Statement& statement : statements) add_statement(requests, statement);
  QueryResults answer = co_await results_of(*session.stream, session.state, requests);
  if (answer.error) throw protocol::ServerError(std::move(*answer.error));
  if (answer.results.size() != statements.size()) {
    throw protocol::ProtocolError("query", "not one result for each statement");
  }
  co_return std::move(answer.results);
}

void Connection::send(const protocol::Requests& requests) {
  OpenedSession& session = impl_->opened();
  send_requests(*session.stream, session.state, requests);
}

asio::awaitable<protocol::Reply> Connection::next_reply() {
  OpenedSession& session = impl_->opened();
  co_return co_await replication::next_reply(*session.stream, session.state);
}

asio::awaitable<std::optional<protocol::Reply>> Connection::next_reply_or_sent(std::size_t unsent) {
  OpenedSession& session = impl_->opened();
  co_return co_await replication::next_reply_or_sent(*session.stream, session.state, unsent);
}

const protocol::QueryDialogue& Connection::dialogue() const {
  return impl_->session.state.dialogue;
}

asio::awaitable<void> Connection::finish() {
  OpenedSession& session = impl_->opened();
  co_await finish_requests(*session.stream, session.state);
}

asio::awaitable<void> Connection::cancel() const {
  const CancelTarget cancelled = impl_->cancel_target();
  co_await send_cancel_request(impl_->io, cancelled);
}

asio::awaitable<void> Connection::start_copy_both(std::string_view command) {
  OpenedSession& session = impl_->opened();
  co_await finish();
  protocol::Requests requests;
  requests.query(command);
  send(requests);
  impl_->streamed = false;
  std::optional<protocol::ServerFields> error;
  while (!session.state.dialogue.in_copy_both()) {
    protocol::Reply reply = co_await next_reply();
    if (auto* refusal = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (!error) error = std::move(refusal->fields);
    } else if (std::holds_alternative<protocol::ReadyForQuery>(reply) && error) {
      throw protocol::ServerError(std::move(*error));
    } else if (!session.state.dialogue.in_copy_both()) {
      throw protocol::ProtocolError(command, "was not answered with CopyBothResponse");
    }
  }
  impl_->streamed = true;
}

bool Connection::coalescing() const { return impl_->opened().stream->coalescing(); }

bool Connection::in_message() const { return impl_->opened().stream->in_message(); }

asio::awaitable<void> Connection::read_some() { co_await impl_->opened().stream->read_coalesced(); }

std::optional<protocol::ByteView> Connection::next_copy_data() {
  OpenedSession& session = impl_->opened();
  while (const auto message = session.stream->next_buffered()) {
    if (message->type == 'd' && session.state.dialogue.in_copy_both()) return message->body;
    if (session.state.take(*message)) continue;
    protocol::Reply reply = session.state.dialogue.on_message(*message);
    if (auto* error = std::get_if<protocol::ErrorResponse>(&reply)) {
      throw protocol::ServerError(std::move(error->fields));
    }
  }
  return std::nullopt;
}

bool Connection::server_ended_copy() const {
  return impl_->streamed && !impl_->session.state.dialogue.in_copy_both();
}

void Connection::send_copy_data(std::string_view payload) {
  if (!dialogue().takes_copy_data()) return;
  impl_->send([&](std::string& out) { protocol::append_copy_data(out, payload); });
}

void Connection::send_copy_done() {
  if (!dialogue().owes_copy_end()) return;
  impl_->send([](std::string& out) { protocol::append_copy_done(out); });
  impl_->session.state.dialogue.copy_ended();
}

void Connection::send_copy_fail(std::string_view reason) {
  if (!dialogue().in_copy_in() || !dialogue().owes_copy_end()) return;
  impl_->send([&](std::string& out) { protocol::append_copy_fail(out, reason); });
  impl_->session.state.dialogue.copy_ended();
}

std::string Connection::send_failure() const {
  return impl_->session.stream ? impl_->session.stream->transport().send_failure() : std::string();
}

std::size_t Connection::unsent_bytes() const {
  return impl_->session.stream ? impl_->session.stream->transport().unsent_bytes() : 0;
}

asio::awaitable<void> Connection::terminate() {
  if (!impl_->session.stream || impl_->session.stream->transport().closed()) co_return;
  impl_->send([](std::string& out) { protocol::append_terminate(out); });
  const auto until = std::chrono::steady_clock::now() + terminate_limit;
  asio::steady_timer timer(impl_->io);
  while (unsent_bytes() > 0 && std::chrono::steady_clock::now() < until) {
    timer.expires_after(terminate_poll);
    co_await timer.async_wait(asio::use_awaitable);
  }
  close();
}

void Connection::close() {
  if (impl_->session.stream) impl_->session.stream->transport().close("the connection was closed");
}

std::vector<protocol::ServerFields> Connection::take_notices() {
  return impl_->session.state.notices.take();
}

std::vector<Notification> Connection::take_notifications() {
  return impl_->session.state.notifications.take();
}

asio::awaitable<void> Connection::wait_notification() {
  OpenedSession& session = impl_->opened();
  if (!session.state.dialogue.idle()) throw std::logic_error("replies are awaited first");
  for (;;) {
    // Only a fatal error may come, and is thrown.
    static_cast<void>(buffered_reply(*session.stream, session.state));
    if (!session.state.notifications.empty()) co_return;
    co_await session.stream->read_some();
  }
}

const protocol::ServerSession& Connection::server() const { return impl_->session.state.server; }

int Connection::server_version() const {
  const auto& parameters = impl_->session.state.server.parameters;
  const auto found = parameters.find("server_version");
  return found == parameters.end() ? 0 : protocol::server_version_number(found->second);
}

const config::Host& Connection::host() const { return impl_->session.host; }

const std::string& Connection::peer() const { return impl_->peer; }

ReadCounts Connection::read_counts() const {
  return impl_->session.stream ? impl_->session.stream->counts() : ReadCounts{};
}

Encryption Connection::encryption() const {
  return impl_->session.stream ? impl_->session.stream->transport().encryption() : Encryption::none;
}

}  // namespace pgcourier::replication
