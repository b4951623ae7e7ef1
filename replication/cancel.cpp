#include "replication/cancel.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include "protocol/frontend_messages.hpp"
#include "replication/connection.hpp"
#include "replication/encryption.hpp"
#include "replication/transport.hpp"

namespace pgcourier::replication {
namespace {

// Who cancels is on his way out, whatever connect_timeout says.
constexpr std::chrono::milliseconds longest_cancel{5000};

asio::awaitable<void> agree(Transport& transport, const std::string& request, char agreement) {
  transport.send(request);
  const char answer = co_await transport.read_byte();
  if (answer != agreement) {
    throw ConnectionError(transport.peer() + ": encryption is refused for a cancel request");
  }
}

asio::awaitable<void> encrypt(Transport& transport, const CancelTarget& cancelled) {
  std::string request;
  if (cancelled.encryption == Encryption::tls) {
    protocol::append_ssl_request(request);
    if (!cancelled.target.ssl_direct) co_await agree(transport, request, 'S');
    co_await start_tls(transport, cancelled.target, cancelled.host);
  } else if (cancelled.encryption == Encryption::gss) {
    const std::shared_ptr<GssInitiation> initiation =
        co_await prepare_gss(transport, cancelled.target, cancelled.host);
    protocol::append_gss_enc_request(request);
    co_await agree(transport, request, 'G');
    co_await start_gss(transport, initiation);
  }
}

}  // namespace

asio::awaitable<void> send_cancel_request(asio::io_context& io, const CancelTarget& cancelled) {
  if (cancelled.cancel_key.empty()) {
    throw ConnectionError(cancelled.endpoint.text + ": the server gave no key to cancel with");
  }
  const auto transport = std::make_shared<Transport>(io);
  const auto timeout = cancelled.target.connect_timeout;
  transport->limit_connect(timeout.count() > 0 ? std::min(timeout, longest_cancel) : longest_cancel,
                           "the cancel request was not taken");
  co_await transport->connect(cancelled.endpoint, cancelled.target, SocketUse::queries);
  try {
    co_await encrypt(*transport, cancelled);
  } catch (const GssError& error) {
    throw ConnectionError(transport->peer() + ": " + error.what());
  }
  std::string request;
  protocol::append_cancel_request(request, cancelled.process_id, cancelled.cancel_key);
  transport->send(request);
  const bool ended = co_await transport->read_end();
  if (!ended) throw ConnectionError(transport->peer() + ": a cancel request was answered");
}

}  // namespace pgcourier::replication
