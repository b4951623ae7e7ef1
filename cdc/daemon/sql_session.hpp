// The second connection: plain SQL beside the stream, shared by the session's coroutines.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "config/connection_string.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

namespace asio = boost::asio;

// One connection, lent to one coroutine at a time, opened when it is first needed and again after
// it broke. Io thread only.
class SqlSession {
 public:
  // Returns the connection when it goes out of scope; an exception passing through means that the
  // connection is not trusted any more.
  class Lease {
   public:
    explicit Lease(SqlSession& owner);
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    replication::Connection& operator*() const { return *owner_->connection_; }

   private:
    SqlSession* owner_;
    int exceptions_;  // in flight when the lease began
  };

  SqlSession(asio::io_context& io, config::ConnectionTarget target);

  // Waits for its turn, connects if need be. Throws what Connection::open() does.
  asio::awaitable<Lease> lease();

  // A backend that waits for a lock does not look at its socket: it would wait on, for nobody. At
  // the end, when nobody leases any more.
  asio::awaitable<void> cancel_given_up();

  // Terminates orderly, if connected.
  asio::awaitable<void> close();

  asio::io_context& io() { return io_; }

 private:
  asio::io_context& io_;
  config::ConnectionTarget target_;
  std::unique_ptr<replication::Connection> connection_;
  std::unique_ptr<replication::Connection> given_up_;  // after an error
  bool lent_ = false;
  asio::steady_timer returned_;  // cancelled when the connection comes back
};

// Before a connection is dropped with a request under way: the server would go on with it until it
// is done, and a slot that it makes would be nobody's.
asio::awaitable<void> cancel_what_is_asked(replication::Connection& connection);

// A wait that ends early, without an error, only if the coroutine is cancelled as a whole.
asio::awaitable<void> pause(asio::io_context& io, std::chrono::milliseconds duration);

// To race an answer on the second connection, connecting included. Throws ConnectionError.
asio::awaitable<void> give_up_on_sql(asio::io_context& io);

}  // namespace pgcourier::cdc::daemon
