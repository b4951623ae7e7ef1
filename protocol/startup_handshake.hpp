// The dialogue from the first byte to ReadyForQuery, §55.2.1, without the socket.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/authentication_error.hpp"
#include "protocol/encryption_negotiation.hpp"
#include "protocol/scram_proof.hpp"
#include "protocol/server_session.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// What the caller must do next.
struct SendBytes {
  std::string bytes;
};
struct ReadByte {};  // the server's one-byte answer to SSLRequest, GSSENCRequest; not one more
struct StartTls {};  // then on_tls()
struct StartGss {};  // GSSAPI encryption; then on_gss_encryption()
// Authentication by GSSAPI: what the server says to the library, at first nothing; then
// on_gss_token().
struct AskGss {
  std::string token;
};
// For SCRAM: to be advanced to its end, which may take seconds; then on_salted_password().
struct SaltPassword {
  PasswordSalting salting;
};
struct ReadMessage {};  // one whole message
struct GetToken {};     // for OAUTHBEARER, then on_token()
struct Ready {};        // ReadyForQuery came; see session()
using HandshakeStep = std::variant<SendBytes, ReadByte, StartTls, StartGss, AskGss, SaltPassword,
                                   ReadMessage, GetToken, Ready>;

// What serves the session, §55.4.
enum class Walsender {
  none,      // an ordinary backend
  physical,  // replication=true: replication commands only; pg_hba.conf calls it `replication`
  database,  // replication=database: SQL too, and logical replication
};

struct StartupParameters : EncryptionWishes {
  std::string user;
  std::string database;
  std::optional<std::string> password;
  bool has_oauth_token = false;        // GetToken can be answered
  bool unix_socket = false;            // nobody between us: a token may go without TLS
  bool insist_on_certificate = false;  // of ours; not sent is AuthenticationError, before the rest
  // What we ask for, and the oldest version to go back to.
  std::uint32_t max_protocol_version = protocol_3_0;
  std::uint32_t min_protocol_version = protocol_3_0;
  Walsender walsender = Walsender::none;
  // Further parameters, sent as they are: application_name, client_encoding, options, DateStyle ….
  std::vector<std::pair<std::string, std::string>> settings;
  std::string require_auth;                // libpq's, as given
  std::string channel_binding = "prefer";  // disable | prefer | require
  std::string scram_nonce;  // printable, random, 18 bytes or more; a parameter so tests can fix it
};

// Each call takes the outcome of the last step and gives the next one. Throws ProtocolError for
// nonsense, ServerError for an ErrorResponse, AuthenticationError if the two sides cannot agree.
class StartupHandshake {
 public:
  explicit StartupHandshake(StartupParameters parameters);
  StartupHandshake(StartupHandshake&&) noexcept;
  StartupHandshake& operator=(StartupHandshake&&) noexcept;
  ~StartupHandshake();

  HandshakeStep start();
  HandshakeStep sent();
  HandshakeStep on_byte(char answer);
  // After TLS is up. `certificate_hash`: of the server's certificate, RFC 5929's
  // tls-server-end-point, for SCRAM-SHA-256-PLUS; empty if it can't be computed.
  // `certificate_sent`: of ours, because the server asked for it.
  HandshakeStep on_tls(std::optional<std::string> certificate_hash, bool certificate_sent = false);
  HandshakeStep on_gss_encryption();
  // The library's answer to AskGss, empty if it has none; `complete`: it believes the server.
  HandshakeStep on_gss_token(std::string_view token, bool complete);
  // Wiped.
  HandshakeStep on_salted_password(std::string salted_password);
  // Any but NoticeResponse, which may come at any time.
  HandshakeStep on_message(char type, ByteView body);
  // Instead of the first message: frame_unframed_error(). Throws it as 57P03, cannot_connect_now.
  [[noreturn]] void on_unframed_error(ByteView text) const;
  // The token is sent as it is, and wiped.
  HandshakeStep on_token(std::string token);

  const ServerSession& session() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgcourier::protocol
