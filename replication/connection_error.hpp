// What the layers above are told when there is no connection, or none any more.
#pragma once

#include <stdexcept>

namespace pgcourier::replication {

// Nobody could be reached, or the connection was lost or timed out. what() names host and port, and
// the reason of each place that was tried. Time may heal it.
class ConnectionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// TLS or GSSAPI encryption failed to start. Bytes that came in clear instead are no such failure:
// somebody may want to be talked to in clear.
class HandshakeError : public ConnectionError {
 public:
  using ConnectionError::ConnectionError;
};

}  // namespace pgcourier::replication
