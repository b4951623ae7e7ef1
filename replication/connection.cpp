#include "replication/connection.hpp"

#include <chrono>
#include <utility>

#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/query_messages.hpp"
#include "protocol/server_version.hpp"
#include "replication/message_stream.hpp"
#include "replication/query.hpp"
#include "replication/startup.hpp"

namespace pgcourier::replication {
namespace {

using protocol::FramedMessage;

constexpr std::chrono::seconds terminate_limit{1};
constexpr std::chrono::milliseconds terminate_poll{5};

}  // namespace

struct Connection::Impl {
  // What the server's next message must be.
  enum class Mode {
    idle,       // nothing but asynchronous messages
    copy_both,  // CopyData
    copy_over,  // CommandComplete, ReadyForQuery
  };

  Impl(asio::io_context& context, std::size_t message_bytes)
      : io(context), max_message_bytes(message_bytes) {}

  MessageStream& opened() {
    if (!stream) throw ConnectionError("not connected");
    return *stream;
  }

  void send(std::string_view bytes) {
    if (stream) stream->transport().send(bytes);
  }

  void send_copy_done() {
    if (mode == Mode::idle || copy_done_sent) return;
    outgoing.clear();
    protocol::append_copy_done(outgoing);
    send(outgoing);
    copy_done_sent = true;
  }

  // After a copy-both that has ended: up to ReadyForQuery.
  asio::awaitable<void> leave_copy_both() {
    if (mode == Mode::copy_both) {
      throw protocol::ProtocolError("query", "not possible while the server streams");
    }
    if (mode == Mode::copy_over) send_copy_done();
    while (mode == Mode::copy_over) {
      const FramedMessage message = co_await stream->next();
      on_other_message(message);
    }
  }

  // Anything but CopyData.
  void on_other_message(const FramedMessage& message) {
    if (state.take(message)) return;
    if (mode == Mode::copy_both && (message.type == 'c' || message.type == 'C')) {
      // A server that shuts down sends CommandComplete, without CopyDone, and closes.
      server_ended_copy = true;
      mode = Mode::copy_over;
      return;
    }
    if (message.type == 'E' && mode != Mode::idle) {
      mode = Mode::copy_over;
      server_ended_copy = true;
      copy_done_sent = true;  // none is due after an error
      throw protocol::ServerError(protocol::read_server_fields(message.body));
    }
    // The walsender answers our CopyDone at once, even in the middle of a transaction, and only
    // then finishes sending that.
    if ((message.type == 'C' || message.type == 'd') && mode == Mode::copy_over) return;
    if (message.type == 'Z' && mode == Mode::copy_over) {
      mode = Mode::idle;
      return;
    }
    throw protocol::ProtocolError(protocol::describe_backend_message(message.type),
                                  mode == Mode::copy_both ? "unexpected in copy-both mode"
                                                          : "unexpected after copy-both mode");
  }

  asio::io_context& io;
  std::size_t max_message_bytes;
  std::unique_ptr<MessageStream> stream;
  SessionState state;
  Mode mode = Mode::idle;
  bool server_ended_copy = false;
  bool copy_done_sent = false;
  std::string outgoing;  // reused for each message
  config::Host host;
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
  impl_->stream = std::move(session.stream);
  impl_->state = std::move(session.state);
  impl_->host = std::move(session.host);
  impl_->peer = impl_->stream->transport().peer();
}

asio::awaitable<QueryResult> Connection::query(std::string_view sql) {
  MessageStream& stream = impl_->opened();
  co_await impl_->leave_copy_both();
  impl_->send(simple_query(sql));
  co_return co_await read_result(stream, impl_->state);
}

asio::awaitable<QueryResult> Connection::query(
    std::string_view sql, const std::vector<std::optional<std::string>>& parameters) {
  MessageStream& stream = impl_->opened();
  co_await impl_->leave_copy_both();
  impl_->send(extended_query(sql, parameters));
  co_return co_await read_result(stream, impl_->state);
}

asio::awaitable<void> Connection::start_copy_both(std::string_view command) {
  MessageStream& stream = impl_->opened();
  co_await impl_->leave_copy_both();
  impl_->send(simple_query(command));
  co_await read_copy_both_response(stream, impl_->state);
  impl_->mode = Impl::Mode::copy_both;
  impl_->server_ended_copy = false;
  impl_->copy_done_sent = false;
}

bool Connection::coalescing() const { return impl_->opened().coalescing(); }

asio::awaitable<void> Connection::read_some() { co_await impl_->opened().read_coalesced(); }

std::optional<protocol::ByteView> Connection::next_copy_data() {
  MessageStream& stream = impl_->opened();
  while (const auto message = stream.next_buffered()) {
    if (message->type == 'd' && impl_->mode == Impl::Mode::copy_both) return message->body;
    impl_->on_other_message(*message);
  }
  return std::nullopt;
}

bool Connection::server_ended_copy() const { return impl_->server_ended_copy; }

void Connection::send_copy_data(std::string_view payload) {
  if (impl_->mode != Impl::Mode::copy_both || impl_->copy_done_sent) return;
  impl_->outgoing.clear();
  protocol::append_copy_data(impl_->outgoing, payload);
  impl_->send(impl_->outgoing);
}

void Connection::send_copy_done() { impl_->send_copy_done(); }

std::size_t Connection::unsent_bytes() const {
  return impl_->stream ? impl_->stream->transport().unsent_bytes() : 0;
}

asio::awaitable<void> Connection::terminate() {
  if (!impl_->stream || impl_->stream->transport().closed()) co_return;
  impl_->outgoing.clear();
  protocol::append_terminate(impl_->outgoing);
  impl_->send(impl_->outgoing);
  const auto until = std::chrono::steady_clock::now() + terminate_limit;
  asio::steady_timer timer(impl_->io);
  while (unsent_bytes() > 0 && std::chrono::steady_clock::now() < until) {
    timer.expires_after(terminate_poll);
    co_await timer.async_wait(asio::use_awaitable);
  }
  close();
}

void Connection::close() {
  if (impl_->stream) impl_->stream->transport().close("the connection was closed");
}

std::vector<protocol::ServerFields> Connection::take_notices() {
  return std::exchange(impl_->state.notices, {});
}

const protocol::ServerSession& Connection::server() const { return impl_->state.server; }

int Connection::server_version() const {
  const auto& parameters = impl_->state.server.parameters;
  const auto found = parameters.find("server_version");
  return found == parameters.end() ? 0 : protocol::server_version_number(found->second);
}

const config::Host& Connection::host() const { return impl_->host; }

const std::string& Connection::peer() const { return impl_->peer; }

ReadCounts Connection::read_counts() const {
  return impl_->stream ? impl_->stream->counts() : ReadCounts{};
}

bool Connection::uses_tls() const { return impl_->stream && impl_->stream->transport().uses_tls(); }

}  // namespace pgcourier::replication
