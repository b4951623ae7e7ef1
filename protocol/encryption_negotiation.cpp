#include "protocol/encryption_negotiation.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "protocol/authentication_error.hpp"
#include "protocol/protocol_error.hpp"
#include "protocol/server_error.hpp"

namespace pgcourier::protocol {
namespace {

// A postmaster that can't start a process for us. What follows is unframed, unencrypted text that
// anybody could have written, so it is not read; the connection is of no more use.
[[noreturn]] void throw_server_failure(std::string_view asked_for) {
  ServerFields fields;
  fields.severity_unlocalized = "FATAL";
  fields.sqlstate = "57P03";  // cannot_connect_now
  fields.message =
      "the server answered the request for " + std::string(asked_for) + " with an error";
  throw ServerError(std::move(fields));
}

}  // namespace

EncryptionNegotiation::Next EncryptionNegotiation::start() {
  asked_for_gss_ = wishes_.ask_for_gss || wishes_.insist_on_gss;
  return asked_for_gss_ ? Next::ask_for_gss : without_gss();
}

EncryptionNegotiation::Next EncryptionNegotiation::without_gss() {
  if (wishes_.direct_tls) return Next::start_tls;
  const bool asks = wishes_.ask_for_tls || wishes_.insist_on_tls;
  return asks ? Next::ask_for_tls : Next::send_startup_message;
}

EncryptionNegotiation::Next EncryptionNegotiation::on_gss_answer(char answer) {
  switch (answer) {
    case 'G':
      return Next::start_gss;
    case 'N':
      if (wishes_.insist_on_gss) {
        throw GssEncryptionRefused(
            "the server does not support GSSAPI encryption, but gssencmode requires it");
      }
      if (wishes_.direct_tls) {
        throw GssEncryptionRefused(
            "the server does not support GSSAPI encryption, and direct TLS can't follow on the "
            "same connection");
      }
      return without_gss();
    case 'E':
      // Unlike to SSLRequest, it may come of something between us that doesn't know the request.
      if (wishes_.insist_on_gss) throw_server_failure("GSSAPI encryption");
      throw GssEncryptionRefused("the request for GSSAPI encryption was answered with an error");
    default:
      throw ProtocolError("GSSENCRequest", "the answer is neither G nor N; is this PostgreSQL?");
  }
}

EncryptionNegotiation::Next EncryptionNegotiation::on_answer(char answer) {
  if (std::exchange(asked_for_gss_, false)) return on_gss_answer(answer);
  switch (answer) {
    case 'S':
      return Next::start_tls;
    case 'N':
      if (wishes_.insist_on_tls) {
        throw AuthenticationError("the server does not support TLS, but sslmode requires it");
      }
      return Next::send_startup_message;
    case 'E':
      throw_server_failure("TLS");
    default:
      throw ProtocolError("SSLRequest", "the answer is neither S nor N; is this PostgreSQL?");
  }
}

}  // namespace pgcourier::protocol
