// OAUTHBEARER, §55.3, RFC 7628: the client's side, with a token that somebody else obtained.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/authentication_error.hpp"
#include "protocol/server_error.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// The server takes messages of up to 65535 bytes during authentication.
constexpr std::size_t max_oauth_token_bytes = 65'000;

// One authentication, in this order:
//   client → initial_response(), with the token
//   server → AuthenticationOk; or a challenge, given to answer_challenge(), whose result
//   client → … must be sent before
//   server → says in an ErrorResponse what is wrong: refusal() makes the error of it.
// The texts of errors never have the token in them, even if the server repeats it.
class OAuthClient {
 public:
  // AuthenticationError unless it is a b68token (RFC 6750 2.1) that a server can take.
  explicit OAuthClient(std::string token);
  ~OAuthClient();  // wipes the token
  OAuthClient(const OAuthClient&) = delete;
  OAuthClient& operator=(const OAuthClient&) = delete;

  std::string initial_response() const;
  // `challenge`: JSON with the reason and where tokens are to be had (RFC 7628 3.2.2). A second
  // one is ProtocolError.
  std::string answer_challenge(ByteView challenge);
  bool refused() const { return refused_; }
  OAuthTokenRefused refusal(const ServerError& error) const;
  // An error that came without a challenge, or later, may repeat the token too.
  ServerError without_token(const ServerError& error) const;

 private:
  std::string presentable(std::string_view text) const;

  std::string token_;
  bool refused_ = false;
  std::string challenge_;  // cut, and fit for messages
};

}  // namespace pgcourier::protocol
