#include "replication/endpoint.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <system_error>

#include "replication/connection.hpp"

namespace pgcourier::replication {
namespace {

constexpr int stream_receive_buffer = 4 * 1024 * 1024;

std::string reason(int error) { return std::generic_category().message(error); }

Endpoint unix_endpoint(const config::Host& host) {
  const std::string path = host.name + "/.s.PGSQL." + std::to_string(host.port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw ConnectionError(path + ": the path is too long for a Unix-domain socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  std::size_t size = offsetof(sockaddr_un, sun_path) + path.size();
  if (path.front() == '@') {
    address.sun_path[0] = '\0';  // abstract: the length ends the name, not a zero byte
  } else {
    ++size;
  }
  Endpoint endpoint;
  std::memcpy(&endpoint.address, &address, sizeof(address));
  endpoint.size = static_cast<socklen_t>(size);
  endpoint.text = path;
  return endpoint;
}

// An explicit size ends the kernel's own tuning of the buffer, so it only pays where the kernel
// grants it whole.
bool kernel_grants(int bytes) {
  std::ifstream limit("/proc/sys/net/core/rmem_max");
  int most = 0;
  return limit >> most && most >= bytes;
}

void set_option(int socket, int level, int name, int value) {
  // Not fatal, as in libpq's spirit: the connection works without.
  static_cast<void>(::setsockopt(socket, level, name, &value, sizeof(value)));
}

void set_tcp_options(int socket, const config::ConnectionTarget& target) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (target.keepalives) {
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    const auto idle = static_cast<int>(target.keepalives_idle.count());
    const auto interval = static_cast<int>(target.keepalives_interval.count());
    if (idle > 0) set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, idle);
    if (interval > 0) set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    if (target.keepalives_count > 0) {
      set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, target.keepalives_count);
    }
  }
  const auto user_timeout = static_cast<int>(target.tcp_user_timeout.count());
  if (user_timeout > 0) set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout);
}

}  // namespace

asio::awaitable<std::vector<Endpoint>> resolve(const config::Host& host) {
  std::vector<Endpoint> endpoints;
  if (host.is_socket()) {
    endpoints.push_back(unix_endpoint(host));
    co_return endpoints;
  }
  using asio::ip::tcp;
  const std::string port = std::to_string(host.port);
  const std::string& shown = host.name.empty() ? host.address : host.name;
  tcp::resolver resolver(co_await asio::this_coro::executor);
  auto flags = tcp::resolver::numeric_service;
  if (!host.address.empty()) flags |= tcp::resolver::numeric_host;
  boost::system::error_code error;
  const auto results =
      co_await resolver.async_resolve(host.address.empty() ? host.name : host.address, port, flags,
                                      asio::redirect_error(asio::use_awaitable, error));
  if (error) throw ConnectionError(shown + ":" + port + ": " + error.message());
  for (const auto& result : results) {
    const tcp::endpoint found = result.endpoint();
    Endpoint endpoint;
    std::memcpy(&endpoint.address, found.data(), found.size());
    endpoint.size = static_cast<socklen_t>(found.size());
    endpoint.numeric = found.address().to_string();
    endpoint.text =
        (endpoint.numeric == shown ? shown : shown + " (" + endpoint.numeric + ")") + ":" + port;
    endpoints.push_back(std::move(endpoint));
  }
  co_return endpoints;
}

int make_socket(const Endpoint& endpoint, const config::ConnectionTarget& target, SocketUse use) {
  const int socket =
      ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) throw ConnectionError(endpoint.text + ": " + reason(errno));
  if (!endpoint.is_unix()) {
    set_tcp_options(socket, target);
    // Before connect(): the window's scale is agreed upon there.
    if (use == SocketUse::stream && kernel_grants(stream_receive_buffer)) {
      set_option(socket, SOL_SOCKET, SO_RCVBUF, stream_receive_buffer);
    }
  }
  return socket;
}

}  // namespace pgcourier::replication
