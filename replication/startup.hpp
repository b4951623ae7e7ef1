// From a list of hosts to one server that accepts us, §55.2.1, with libpq's rules for several
// hosts, sslmode and target_session_attrs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/connection_string.hpp"
#include "replication/connection.hpp"
#include "replication/endpoint.hpp"
#include "replication/message_stream.hpp"
#include "replication/query.hpp"

namespace pgcourier::replication {

struct OpenedSession {
  std::unique_ptr<MessageStream> stream;
  SessionState state;
  config::Host host;  // of the target, with the address it led to
  Endpoint endpoint;
};

struct OpenRequest {
  const config::ConnectionTarget& target;
  Purpose purpose;
  const std::vector<std::pair<std::string, std::string>>& session_settings;
  std::size_t max_message_bytes;
};

// Throws what Connection::open() does.
asio::awaitable<OpenedSession> open_session(asio::io_context& io, const OpenRequest& request);

// One way to encrypt. GSSAPI comes first: only where it is not to be had TLS matters.
enum class Use { never, if_offered, insist };
struct EncryptionUse {
  Use gss = Use::never;  // if_offered: and if there is a credential
  Use tls = Use::never;
};
// How far an attempt came that failed.
struct Attempt {
  bool by_gss = false;             // it was GSSAPI encryption that was tried, not the use of TLS
  bool encryption_failed = false;  // by itself: another way to encrypt may do
};
// One address, one way: connects, starts encryption, authenticates.
asio::awaitable<OpenedSession> start_session(asio::io_context& io, const OpenRequest& request,
                                             const config::Host& host, const Endpoint& endpoint,
                                             EncryptionUse use, Attempt& attempt);

// Why the session is not what is wanted; empty if it is. May ask the server.
asio::awaitable<std::string> session_mismatch(OpenedSession& session,
                                              config::TargetSessionAttrs wanted);

}  // namespace pgcourier::replication
