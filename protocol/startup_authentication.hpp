// The server's requests for authentication within start-up, and our answers, §55.2.1 and §55.3.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/authentication_messages.hpp"
#include "protocol/authentication_policy.hpp"
#include "protocol/oauth_client.hpp"
#include "protocol/scram_client.hpp"
#include "protocol/server_error.hpp"
#include "protocol/startup_handshake.hpp"

namespace pgcourier::protocol {

// A part of StartupHandshake, which makes sure of the order of the calls. Throws as that does.
class StartupAuthentication {
 public:
  // `parameters` must outlive it.
  explicit StartupAuthentication(const StartupParameters& parameters);

  // Before the first request, if the connection is encrypted.
  void begin_tls(std::optional<std::string> certificate_hash);
  void begin_gss() { over_gss_ = true; }

  HandshakeStep on_request(ByteView body);
  HandshakeStep on_token(std::string token);
  HandshakeStep on_gss_token(std::string_view token, bool complete);
  HandshakeStep on_salted_password(std::string salted_password);
  // Throws it, or what it means after a token was refused.
  [[noreturn]] void on_error(const ServerError& error) const;

  // AuthenticationOk came.
  bool done() const { return progress_ == Progress::done; }

 private:
  // How far the server's request has come.
  enum class Progress { not_asked, answered, in_scram, in_oauth, in_gss, done };

  const std::string& password(std::string_view method) const;
  void expect_first_request(AuthenticationMethod method);
  ScramClient& scram_in_progress();
  ChannelBinding choose_binding(const AuthenticationSASL& request) const;
  bool chooses_oauth(const AuthenticationSASL& request) const;
  HandshakeStep ask_for_token();
  HandshakeStep answer(const AuthenticationOk&);
  HandshakeStep answer(const AuthenticationCleartextPassword&);
  HandshakeStep answer(const AuthenticationMD5Password& request);
  HandshakeStep answer(const AuthenticationSASL& request);
  HandshakeStep answer(const AuthenticationSASLContinue& message);
  HandshakeStep answer(const AuthenticationSASLFinal& message);
  HandshakeStep answer(const AuthenticationGSS&);
  HandshakeStep answer(const AuthenticationGSSContinue& message);
  HandshakeStep answer(const AuthenticationSSPI&);
  HandshakeStep answer(const AuthenticationKerberosV5&);
  HandshakeStep answer(const AuthenticationUnknown& request);

  const StartupParameters& parameters_;
  AuthenticationPolicy policy_;
  Progress progress_ = Progress::not_asked;
  bool over_tls_ = false;
  std::optional<std::string> certificate_hash_;
  bool over_gss_ = false;
  bool gss_complete_ = false;
  std::optional<ScramClient> scram_;
  bool scram_bound_ = false;
  std::optional<OAuthClient> oauth_;
};

}  // namespace pgcourier::protocol
