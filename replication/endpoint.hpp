// Where a host of the connection string leads to: socket addresses, and sockets made for them.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "config/connection_string.hpp"
#include "replication/asio.hpp"

namespace pgcourier::replication {

// One address of a host: TCP over IPv4 or IPv6, or a Unix-domain socket.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string text;  // "db1:5432", "db1 (192.0.2.1):5432" or the socket's path, for messages

  std::string numeric;  // the IP address alone; empty for a socket's path

  bool is_unix() const { return address.ss_family == AF_UNIX; }
};

// All addresses of a host in the resolver's order. Throws ConnectionError when there is none.
asio::awaitable<std::vector<Endpoint>> resolve(const config::Host& host);

enum class SocketUse { queries, stream };

// A non-blocking socket, not yet connected, with the target's keepalive settings. For a stream the
// receive buffer is as large as the kernel lets it be without giving up its own tuning for less.
// Throws ConnectionError.
int make_socket(const Endpoint& endpoint, const config::ConnectionTarget& target, SocketUse use);

}  // namespace pgcourier::replication
