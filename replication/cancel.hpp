// CancelRequest, §55.2.8: a connection of its own that asks a server to stop what another one is
// at.
#pragma once

#include <cstdint>
#include <string>

#include "config/connection_string.hpp"
#include "replication/asio.hpp"
#include "replication/endpoint.hpp"
#include "replication/secure_session.hpp"

namespace pgcourier::replication {

// The session to cancel: where it is, and the key that BackendKeyData gave.
struct CancelTarget {
  config::ConnectionTarget target;
  config::Host host;
  Endpoint endpoint;
  Encryption encryption = Encryption::none;  // the session's
  std::int32_t process_id = 0;
  std::string cancel_key;
};

// Returns when the server has closed, which it does without a word once it has passed the request
// on; whether that changed anything is seen at the session. `cancelled` must outlive it. Throws
// ConnectionError, within connect_timeout.
asio::awaitable<void> send_cancel_request(asio::io_context& io, const CancelTarget& cancelled);

}  // namespace pgcourier::replication
