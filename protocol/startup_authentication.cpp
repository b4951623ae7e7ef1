#include "protocol/startup_authentication.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <variant>

#include "protocol/frontend_messages.hpp"
#include "protocol/password_auth.hpp"
#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

bool offers(const AuthenticationSASL& request, std::string_view mechanism) {
  return std::find(request.mechanisms.begin(), request.mechanisms.end(), mechanism) !=
         request.mechanisms.end();
}

}  // namespace

StartupAuthentication::StartupAuthentication(const StartupParameters& parameters)
    : parameters_(parameters), policy_(parameters.require_auth, parameters.channel_binding) {}

void StartupAuthentication::begin_tls(std::optional<std::string> certificate_hash) {
  over_tls_ = true;
  if (certificate_hash && !certificate_hash->empty()) {
    certificate_hash_ = std::move(certificate_hash);
  }
}

HandshakeStep StartupAuthentication::on_request(ByteView body) {
  const auto message = read_authentication(body);
  if (done()) throw ProtocolError("Authentication", "it came after AuthenticationOk");
  return std::visit([this](const auto& request) { return answer(request); }, message);
}

HandshakeStep StartupAuthentication::on_token(std::string token) {
  oauth_.emplace(std::move(token));
  std::string bytes;
  append_sasl_initial_response(bytes, "OAUTHBEARER", oauth_->initial_response());
  return SendBytes{std::move(bytes)};
}

HandshakeStep StartupAuthentication::on_gss_token(std::string_view token, bool complete) {
  gss_complete_ = complete;
  if (token.empty()) return ReadMessage{};
  std::string bytes;
  append_gss_response(bytes, token);
  return SendBytes{std::move(bytes)};
}

HandshakeStep StartupAuthentication::on_salted_password(std::string salted_password) {
  std::string bytes;
  append_sasl_response(bytes, scram_in_progress().client_final(salted_password));
  OPENSSL_cleanse(salted_password.data(), salted_password.size());
  return SendBytes{std::move(bytes)};
}

void StartupAuthentication::on_error(const ServerError& error) const {
  if (oauth_ && oauth_->refused()) throw oauth_->refusal(error);
  if (oauth_) throw oauth_->without_token(error);
  throw error;
}

const std::string& StartupAuthentication::password(std::string_view method) const {
  if (!parameters_.password || parameters_.password->empty()) {
    throw AuthenticationError("the server asks for a password (" + std::string(method) +
                              "), but none was given");
  }
  return *parameters_.password;
}

// A server that asks again after an answer is fishing for the password in another form.
void StartupAuthentication::expect_first_request(AuthenticationMethod method) {
  if (progress_ != Progress::not_asked) {
    throw ProtocolError("Authentication", "a second request for authentication");
  }
  policy_.check_request(method);
}

ScramClient& StartupAuthentication::scram_in_progress() {
  if (progress_ != Progress::in_scram) {
    throw ProtocolError("Authentication", "a SASL message outside of SASL");
  }
  return *scram_;
}

ChannelBinding StartupAuthentication::choose_binding(const AuthenticationSASL& request) const {
  const bool plus_offered = offers(request, "SCRAM-SHA-256-PLUS");
  if (policy_.binding_required() && !over_tls_) {
    throw AuthenticationError("channel_binding=require, but the connection does not use TLS");
  }
  if (plus_offered && !over_tls_) {
    throw AuthenticationError(
        "the server offers SCRAM-SHA-256-PLUS on a connection without TLS: somebody between us "
        "may have removed it");
  }
  const bool able = over_tls_ && certificate_hash_ && !policy_.binding_disabled();
  if (able && plus_offered) return ChannelBinding::tls_server_end_point(*certificate_hash_);
  if (policy_.binding_required()) {
    throw AuthenticationError(
        plus_offered
            ? "channel_binding=require, but the server's certificate has no hash to bind to"
            : "channel_binding=require, but the server does not offer it");
  }
  if (!offers(request, "SCRAM-SHA-256")) {
    std::string offered;
    for (const auto mechanism : request.mechanisms) (offered += ' ') += mechanism;
    throw AuthenticationError("the server offers no SASL mechanism that is supported:" + offered);
  }
  return able ? ChannelBinding::not_offered() : ChannelBinding::unsupported();
}

// Where both are possible SCRAM comes first: it keeps the secret, and the server proves itself.
bool StartupAuthentication::chooses_oauth(const AuthenticationSASL& request) const {
  if (!offers(request, "OAUTHBEARER")) return false;
  const bool scram_offered =
      offers(request, "SCRAM-SHA-256") || offers(request, "SCRAM-SHA-256-PLUS");
  if (!scram_offered || !policy_.allows(AuthenticationMethod::scram_sha_256)) return true;
  const bool has_password = parameters_.password && !parameters_.password->empty();
  return !has_password && parameters_.has_oauth_token &&
         policy_.allows(AuthenticationMethod::oauth) && !policy_.binding_required();
}

HandshakeStep StartupAuthentication::ask_for_token() {
  expect_first_request(AuthenticationMethod::oauth);
  if (!parameters_.has_oauth_token) {
    throw AuthenticationError(
        "the server asks for an OAuth token, but none was given: set source.oauth_token or "
        "source.oauth_token_command");
  }
  // RFC 7628 4: whoever reads the token can use it. That includes 127.0.0.1, where a tunnel may
  // begin.
  if (!over_tls_ && !parameters_.unix_socket) {
    throw AuthenticationError(
        "the server asks for an OAuth token on a connection without TLS, where others could read "
        "it: use sslmode=verify-full, or a Unix-domain socket");
  }
  progress_ = Progress::in_oauth;
  return GetToken{};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationOk&) {
  if (progress_ == Progress::in_scram && !scram_->verified()) {
    throw AuthenticationError(
        "the server let us in without proving that it knows the password (SCRAM cut short)");
  }
  if (oauth_ && oauth_->refused()) {
    throw ProtocolError("Authentication", "AuthenticationOk after the token was refused");
  }
  if (progress_ == Progress::in_gss && !gss_complete_) {
    throw AuthenticationError("the server let us in without proving who it is (GSSAPI cut short)");
  }
  // Who encrypts by GSSAPI has authenticated by it, so the server need not ask.
  const bool by_encryption = over_gss_ && policy_.allows(AuthenticationMethod::gss);
  policy_.check_outcome(progress_ != Progress::not_asked || by_encryption, scram_ && scram_bound_);
  progress_ = Progress::done;
  return ReadMessage{};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationCleartextPassword&) {
  expect_first_request(AuthenticationMethod::password);
  std::string bytes;
  append_password_message(bytes, password("cleartext"));
  progress_ = Progress::answered;
  return SendBytes{std::move(bytes)};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationMD5Password& request) {
  expect_first_request(AuthenticationMethod::md5);
  std::string bytes;
  append_password_message(bytes, md5_password(password("md5"), parameters_.user, request.salt));
  progress_ = Progress::answered;
  return SendBytes{std::move(bytes)};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationSASL& request) {
  if (chooses_oauth(request)) return ask_for_token();
  expect_first_request(AuthenticationMethod::scram_sha_256);
  auto binding = choose_binding(request);
  scram_bound_ = binding.bound();
  scram_.emplace(password("scram-sha-256"), parameters_.scram_nonce, std::move(binding));
  std::string bytes;
  append_sasl_initial_response(bytes, scram_->mechanism(), scram_->client_first());
  progress_ = Progress::in_scram;
  return SendBytes{std::move(bytes)};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationSASLContinue& message) {
  if (progress_ != Progress::in_oauth)
    return SaltPassword{scram_in_progress().salting(message.data)};
  std::string bytes;
  append_sasl_response(bytes, oauth_->answer_challenge(message.data));
  return SendBytes{std::move(bytes)};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationSASLFinal& message) {
  scram_in_progress().verify(message.data);
  return ReadMessage{};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationGSS&) {
  expect_first_request(AuthenticationMethod::gss);
  if (over_gss_) throw ProtocolError("Authentication", "GSSAPI within GSSAPI encryption");
  progress_ = Progress::in_gss;
  return AskGss{};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationSSPI&) {
  expect_first_request(AuthenticationMethod::sspi);
  throw AuthenticationError("the server asks for SSPI authentication, which is not supported");
}

HandshakeStep StartupAuthentication::answer(const AuthenticationKerberosV5&) {
  throw AuthenticationError(
      "the server asks for Kerberos V5 authentication, which is not supported");
}

HandshakeStep StartupAuthentication::answer(const AuthenticationGSSContinue& message) {
  if (progress_ != Progress::in_gss || gss_complete_) {
    throw ProtocolError("Authentication", "a GSSAPI message outside of GSSAPI");
  }
  return AskGss{std::string(message.data)};
}

HandshakeStep StartupAuthentication::answer(const AuthenticationUnknown& request) {
  throw AuthenticationError("the server asks for an authentication method that is not known (" +
                            std::to_string(request.code) + ")");
}

}  // namespace pgcourier::protocol
