// A server that says what a test tells it to, on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/endian/conversion.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "config/connection_string.hpp"
#include "replication/connection.hpp"

namespace pgcourier::replication::test {

using namespace std::string_literals;

inline std::string big_endian(std::uint32_t value) {
  std::string bytes(4, '\0');
  boost::endian::endian_store<std::uint32_t, 4, boost::endian::order::big>(
      reinterpret_cast<unsigned char*>(bytes.data()), value);
  return bytes;
}

inline std::string message(char type, const std::string& body) {
  return type + big_endian(static_cast<std::uint32_t>(body.size() + 4)) + body;
}

inline std::string ready_for_query() { return message('Z', "I"); }
inline std::string command_complete(const std::string& tag) { return message('C', tag + '\0'); }
inline std::string copy_data(const std::string& payload) { return message('d', payload); }
inline std::string copy_both_response() { return message('W', "\0\0\0"s); }
inline std::string error_response(const std::string& severity, const std::string& sqlstate) {
  return message('E', "S" + severity + "\0V"s + severity + "\0C"s + sqlstate + "\0Msorry\0\0"s);
}
inline std::string notice(const std::string& text) {
  return message('N', "SNOTICE\0VNOTICE\0C00000\0M"s + text + "\0\0"s);
}
inline std::string notification(const std::string& payload) {
  return message('A', big_endian(1) + "channel\0"s + payload + '\0');
}
inline std::string parameter_status(const std::string& name, const std::string& value) {
  return message('S', name + '\0' + value + '\0');
}
// What follows a StartupMessage on a server that trusts everybody.
inline std::string welcome(const std::string& version = "15.4 (Debian)") {
  return message('R', big_endian(0)) + parameter_status("server_version", version) +
         parameter_status("in_hot_standby", "off") +
         parameter_status("default_transaction_read_only", "off") +
         message('K', big_endian(4711) + "key!") + ready_for_query();
}
// One text column, one row.
inline std::string one_row(const std::string& column, const std::string& value) {
  return message('T', "\0\1"s + column + '\0' + big_endian(0) + "\0\0"s + big_endian(25) +
                          "\xff\xff"s + big_endian(0xffffffff) + "\0\0"s) +
         message('D', "\0\1"s + big_endian(static_cast<std::uint32_t>(value.size())) + value);
}

// The server's end of one connection. Blocking; reads give up after five seconds.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    constexpr int on = 1;  // small pieces don't wait for each other
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  virtual ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int socket() const { return socket_; }

  virtual void send(const std::string& bytes) {
    static_cast<void>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  virtual std::string read(std::size_t size) {
    if (size == 0) return "";  // recv() of nothing waits for something
    std::string bytes(size, '\0');
    const auto count = ::recv(socket_, bytes.data(), size, MSG_WAITALL);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }
  // Whether the client ends the connection within `limit`; what it sends till then is dropped.
  bool wait_end(std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      pollfd waited{.fd = socket_, .events = POLLIN, .revents = 0};
      if (::poll(&waited, 1, std::max(0, static_cast<int>(left.count()))) == 0) return false;
      std::array<char, 4096> dropped;
      if (::recv(socket_, dropped.data(), dropped.size(), 0) <= 0) return true;
    }
  }
  // The client is told of the end by RST.
  void reset_at_close() {
    const linger none{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  }
  // SSLRequest or StartupMessage, without its length; empty at the end.
  std::string read_untyped() {
    const std::string length = read(4);
    return length.size() == 4 ? read(length_of(length) - 4) : "";
  }
  // Type and body; empty at the end.
  std::string read_message() {
    const std::string header = read(5);
    if (header.size() < 5) return "";
    return header[0] + read(length_of(header.substr(1)) - 4);
  }
  // A StartupMessage, answered with welcome().
  void accept_session() {
    read_untyped();
    send(welcome());
  }

 private:
  static std::size_t length_of(std::string_view bytes) {
    return boost::endian::endian_load<std::uint32_t, 4, boost::endian::order::big>(
        reinterpret_cast<const unsigned char*>(bytes.data()));
  }
  int socket_;
};

// Plays one script per connection, in order; then the port is closed.
class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;
  enum class Over { tcp, unix_socket };

  explicit ScriptedServer(std::vector<Script> scripts, Over over = Over::tcp) {
    over == Over::tcp ? listen_tcp() : listen_unix();
    thread_ = std::thread([this, scripts = std::move(scripts)] {
      for (const auto& script : scripts) {
        const int socket = ::accept(listener_, nullptr, nullptr);
        if (socket < 0) return;
        Peer peer(socket);
        script(peer);
      }
    });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }
  config::Host host() const {
    config::Host host;
    host.name = name_;
    host.port = port_;
    return host;
  }
  config::ConnectionTarget target() const {
    config::ConnectionTarget target;
    target.hosts = {host()};
    target.user = "u";
    target.database = "d";
    target.ssl_mode = config::SslMode::disable;
    target.gss_enc_mode = config::GssEncMode::disable;
    target.channel_binding = "prefer";
    target.connect_timeout = std::chrono::seconds(5);
    return target;
  }

 private:
  void listen_tcp() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("no port to listen on");
    }
    port_ = ntohs(address.sin_port);
  }
  // An abstract one: it is gone with its last descriptor.
  void listen_unix() {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    port_ = 5432;
    name_ = "@pgcourier-" + std::to_string(::getpid()) + "-" + std::to_string(listener_);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = name_ + "/.s.PGSQL.5432";
    std::memcpy(address.sun_path, path.data(), path.size());
    address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 8) != 0) {
      throw std::runtime_error("no socket to listen on");
    }
  }

  int listener_ = -1;
  std::string name_ = "127.0.0.1";
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace pgcourier::replication::test
