#include "replication/cancel.hpp"

#include <memory>

#include "protocol/frontend_messages.hpp"
#include "replication/connection.hpp"
#include "replication/tls.hpp"
#include "replication/transport.hpp"

namespace pgcourier::replication {
namespace {

asio::awaitable<char> read_byte(Transport& transport) {
  char byte = 0;
  while (transport.try_read(&byte, 1) == 0) co_await transport.wait_readable();
  co_return byte;
}

asio::awaitable<void> start_tls(Transport& transport, const CancelTarget& cancelled) {
  std::string request;
  protocol::append_ssl_request(request);
  transport.send(request);
  const char answer = co_await read_byte(transport);
  if (answer != 'S') {
    throw ConnectionError(transport.peer() + ": TLS is refused for a cancel request");
  }
  const TlsContext context(cancelled.target);
  co_await transport.start_tls(context, cancelled.host);
}

}  // namespace

asio::awaitable<void> send_cancel_request(asio::io_context& io, const CancelTarget& cancelled) {
  if (cancelled.cancel_key.empty()) {
    throw ConnectionError(cancelled.endpoint.text + ": the server gave no key to cancel with");
  }
  const auto transport = std::make_shared<Transport>(io);
  const auto timeout = cancelled.target.connect_timeout;
  if (timeout.count() > 0) {
    transport->set_deadline(timeout, "the cancel request was not taken within " +
                                         std::to_string(timeout.count()) + " ms (connect_timeout)");
  }
  co_await transport->connect(cancelled.endpoint, cancelled.target, SocketUse::queries);
  if (cancelled.with_tls) co_await start_tls(*transport, cancelled);
  std::string request;
  protocol::append_cancel_request(request, cancelled.process_id, cancelled.cancel_key);
  transport->send(request);
  try {
    co_await read_byte(*transport);
  } catch (const ConnectionError&) {
    // The end is the answer; an end without a reason too, for the server is not polite here.
    if (transport->timed_out()) throw;
    co_return;
  }
  throw ConnectionError(transport->peer() + ": a cancel request was answered");
}

}  // namespace pgcourier::replication
