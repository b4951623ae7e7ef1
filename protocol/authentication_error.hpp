// For when client and server can't agree on who they are, §55.2.1 and §55.3.
#pragma once

#include <stdexcept>

namespace pgcourier::protocol {

// No password where one is asked for, a method we were told not to use, a server that can't prove
// it knows the password. Retrying does not help.
class AuthenticationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// GSSAPI encryption is insisted on, or nothing else can follow on this connection, and the server
// does not have it. Another connection may do without.
class GssEncryptionRefused : public AuthenticationError {
 public:
  using AuthenticationError::AuthenticationError;
};

// Another token may do: this one has expired, perhaps.
class OAuthTokenRefused : public AuthenticationError {
 public:
  using AuthenticationError::AuthenticationError;
};

}  // namespace pgcourier::protocol
