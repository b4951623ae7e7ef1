// What TLS and GSSAPI encryption have in common: our bytes on one side, a socket on the other.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace pgcourier::replication {

enum class Encryption { none, tls, gss };

// What an operation on a non-blocking session needs before it can go on. `to_be_told`: its
// wakes_at() becomes readable.
enum class Wants { nothing, to_read, to_write, to_be_told };

// A client's session over a connected, non-blocking socket that it does not own. Never blocks and
// never waits; used from one thread. Functions throw std::runtime_error with the library's reasons.
class SecureSession {
 public:
  SecureSession() = default;
  virtual ~SecureSession() = default;
  SecureSession(const SecureSession&) = delete;
  SecureSession& operator=(const SecureSession&) = delete;

  virtual Encryption kind() const = 0;

  // First of all, until it wants nothing.
  virtual Wants handshake() = 0;
  virtual int wakes_at() const { return -1; }

  struct Outcome {
    std::size_t bytes = 0;
    Wants wants = Wants::nothing;
    bool ended = false;  // the peer closed
  };
  // Reads as much as is there and fits.
  virtual Outcome read(char* into, std::size_t size) = 0;
  // After one that took nothing, the same bytes come again, perhaps with more behind them.
  virtual Outcome write(const char* from, std::size_t size) = 0;

  // Says goodbye if the socket takes it at once.
  virtual void shutdown() {}

  // The server asked for our certificate, and there was one. After the handshake.
  virtual bool sent_certificate() const { return false; }

  // Of the server's certificate, if there is one: RFC 5929, tls-server-end-point.
  virtual std::optional<std::string> certificate_hash() const { return std::nullopt; }
};

using MakeSession = std::function<std::unique_ptr<SecureSession>(int socket)>;

}  // namespace pgcourier::replication
