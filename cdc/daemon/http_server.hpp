// The HTTP endpoints of `http.listen`, on the pipeline's io thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cdc/daemon/http_answers.hpp"

namespace boost::asio {
class io_context;
}

namespace pgcourier::cdc::daemon {

struct ListenAddress {
  std::string host;  // without brackets; empty: all addresses
  std::uint16_t port = 0;
};

// "127.0.0.1:8470", "[::1]:8470", "localhost:8470", ":8470". Throws config::SettingsError.
ListenAddress parse_listen_address(std::string_view listen);

// Serves GET and HEAD, a few connections at a time, each with a short time for its request; slow or
// greedy clients are cut off, never waited for. One more makes the longest idle one go.
class HttpServer {
 public:
  // Listens when it returns; serves while `io` runs. Throws config::SettingsError if the address
  // can't be had. `source` must outlive this object.
  HttpServer(boost::asio::io_context& io, std::string_view listen, const StatusSource& source);

  // Closes all connections at once. To be called on the io thread, or when `io` no longer runs.
  ~HttpServer();

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port that is bound: the system's choice if port 0 was asked for.
  std::uint16_t port() const;
  // "http://127.0.0.1:8470", for messages.
  std::string url() const;

 private:
  struct State;
  // Shared with the coroutines of the connections, which end a little later than this object.
  std::shared_ptr<State> state_;
};

}  // namespace pgcourier::cdc::daemon
