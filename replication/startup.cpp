#include "replication/startup.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "protocol/backend_messages.hpp"
#include "replication/encryption.hpp"
#include "replication/oauth_token.hpp"
#include "replication/salting_thread.hpp"

namespace pgcourier::replication {
namespace {

constexpr std::size_t stream_buffer_bytes = 1024 * 1024;
constexpr std::size_t query_buffer_bytes = 64 * 1024;
constexpr std::string_view no_session = "no session";
constexpr std::string_view slow_scram = "the server asks for many iterations of SCRAM";

std::string random_nonce() {
  std::array<unsigned char, 18> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw ConnectionError("no random bytes for SCRAM's nonce");
  }
  std::array<unsigned char, 25> text{};  // base64 of 18 bytes, and EVP's zero byte
  const int size = EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size)};
}

protocol::Walsender walsender(Purpose purpose) {
  switch (purpose) {
    case Purpose::physical_replication:
      return protocol::Walsender::physical;
    case Purpose::replication:
      return protocol::Walsender::database;
    case Purpose::sql:
      break;
  }
  return protocol::Walsender::none;
}

protocol::StartupParameters startup_parameters(const OpenRequest& request, const config::Host& host,
                                               const Endpoint& endpoint, EncryptionUse use) {
  const config::ConnectionTarget& target = request.target;
  protocol::StartupParameters parameters;
  parameters.user = target.user;
  parameters.database = target.database;
  if (!host.password.empty()) parameters.password = host.password;
  parameters.has_oauth_token = has_oauth_token(target);
  parameters.unix_socket = endpoint.is_unix();
  parameters.ask_for_gss = use.gss != Use::never;
  parameters.insist_on_gss = use.gss == Use::insist;
  parameters.ask_for_tls = use.tls != Use::never;
  parameters.insist_on_tls = use.tls == Use::insist;
  parameters.insist_on_certificate = target.ssl_cert_required;
  parameters.direct_tls = use.tls == Use::insist && target.ssl_direct;
  parameters.min_protocol_version = target.min_protocol_version;
  parameters.max_protocol_version = target.max_protocol_version;
  parameters.walsender = walsender(request.purpose);
  if (!target.application_name.empty()) {
    parameters.settings.emplace_back("application_name", target.application_name);
  }
  if (!target.options.empty()) parameters.settings.emplace_back("options", target.options);
  parameters.settings.insert(parameters.settings.end(), request.session_settings.begin(),
                             request.session_settings.end());
  parameters.require_auth = target.require_auth;
  if (!target.channel_binding.empty()) parameters.channel_binding = target.channel_binding;
  parameters.scram_nonce = random_nonce();
  return parameters;
}

// As libpq: GSSAPI encryption is asked for only with a credential at hand. Without one it is
// dropped from `use`, or insisted on in vain.
asio::awaitable<std::shared_ptr<GssInitiation>> prepare_encryption(
    Transport& transport, const config::ConnectionTarget& target, const config::Host& host,
    EncryptionUse& use) {
  if (use.gss == Use::never) co_return nullptr;
  try {
    auto initiation = co_await prepare_gss(transport, target, host);
    co_return initiation;
  } catch (const GssError& error) {
    if (use.gss == Use::insist) {
      throw ConnectionError(transport.peer() + ": gssencmode=require, but there is " +
                            error.what());
    }
  }
  use.gss = Use::never;
  co_return nullptr;
}

asio::awaitable<void> shake_hands(OpenedSession& session, protocol::StartupHandshake& handshake,
                                  const config::ConnectionTarget& target,
                                  const std::shared_ptr<GssInitiation>& encryption,
                                  Attempt& attempt) {
  MessageStream& stream = *session.stream;
  Transport& transport = stream.transport();
  GssInitiation authentication(target, session.host, GssPurpose::authentication);
  bool heard = false;
  protocol::HandshakeStep step = handshake.start();
  while (!std::holds_alternative<protocol::Ready>(step)) {
    if (const auto* send = std::get_if<protocol::SendBytes>(&step)) {
      transport.send(send->bytes);
      step = handshake.sent();
    } else if (std::holds_alternative<protocol::ReadByte>(step)) {
      // An end instead of an answer comes of what stands between us and doesn't know GSSENCRequest.
      attempt.encryption_failed = attempt.by_gss;
      const char answer = co_await transport.read_byte();
      attempt.encryption_failed = false;
      if (answer == 'N') attempt.by_gss = false;  // the next way follows on this connection
      step = handshake.on_byte(answer);
    } else if (std::holds_alternative<protocol::StartTls>(step)) {
      co_await start_tls(transport, target, session.host);
      step = handshake.on_tls(transport.certificate_hash(), transport.sent_certificate());
    } else if (std::holds_alternative<protocol::GetToken>(step)) {
      transport.clear_deadline();  // a command has its own
      std::string token = co_await get_oauth_token(target);
      transport.limit_connect(target.connect_timeout, no_session);
      step = handshake.on_token(std::move(token));
    } else if (std::holds_alternative<protocol::StartGss>(step)) {
      co_await start_gss(transport, encryption);
      step = handshake.on_gss_encryption();
    } else if (auto* ask = std::get_if<protocol::AskGss>(&step)) {
      authentication.step(std::move(ask->token));
      co_await transport.wait_for_thread(authentication.done_at(), slow_kerberos);
      const GssContext::Step answer = authentication.take();
      step = handshake.on_gss_token(answer.token, answer.complete);
    } else if (auto* salt = std::get_if<protocol::SaltPassword>(&step)) {
      SaltingThread thread(std::move(salt->salting));
      co_await transport.wait_for_thread(thread.done_at(), slow_scram);
      step = handshake.on_salted_password(thread.take());
    } else {
      if (!std::exchange(heard, true)) {
        const std::optional<protocol::ByteView> error = co_await stream.unframed_error();
        if (error) handshake.on_unframed_error(*error);
      }
      const protocol::FramedMessage message = co_await stream.next();
      const bool notice = message.type == 'N' && session.state.take(message);
      if (!notice) step = handshake.on_message(message.type, message.body);
    }
  }
}

asio::awaitable<bool> shows_on(OpenedSession& session, std::string_view sql) {
  protocol::Requests requests;
  requests.query(sql);
  QueryResults answer = co_await results_of(*session.stream, session.state, requests);
  const QueryResult result = last_of(std::move(answer));
  if (result.rows.size() != 1 || result.rows[0].size() != 1) {
    throw protocol::ProtocolError(sql, "expected one row with one column");
  }
  const auto& value = result.rows[0][0];
  co_return value && (*value == "on" || *value == "t");
}

}  // namespace

asio::awaitable<OpenedSession> start_session(asio::io_context& io, const OpenRequest& request,
                                             const config::Host& host, const Endpoint& endpoint,
                                             EncryptionUse use, Attempt& attempt) {
  const bool streams = request.purpose != Purpose::sql;
  auto transport = std::make_shared<Transport>(io);
  transport->limit_connect(request.target.connect_timeout, no_session);
  co_await transport->connect(endpoint, request.target,
                              streams ? SocketUse::stream : SocketUse::queries);
  OpenedSession session;
  session.host = host;
  session.endpoint = endpoint;
  session.stream = std::make_unique<MessageStream>(
      std::move(transport), streams ? stream_buffer_bytes : query_buffer_bytes,
      protocol::max_startup_message_bytes);
  const std::shared_ptr<GssInitiation> encryption =
      co_await prepare_encryption(session.stream->transport(), request.target, host, use);
  attempt.by_gss = use.gss != Use::never;
  protocol::StartupHandshake handshake(startup_parameters(request, host, endpoint, use));
  try {
    co_await shake_hands(session, handshake, request.target, encryption, attempt);
  } catch (const TokenCommandError&) {
    throw;
  } catch (const protocol::OAuthTokenRefused& refused) {
    if (has_fresh_oauth_token(request.target)) throw;
    throw protocol::AuthenticationError(refused.what());
  } catch (const GssError& error) {
    throw ConnectionError(session.stream->transport().peer() + ": " + error.what());
  } catch (const HandshakeError&) {
    attempt.encryption_failed = true;
    throw;
  } catch (const ConnectionError&) {
    // Silence is no answer to a request for encryption.
    if (session.stream->transport().timed_out()) attempt.encryption_failed = false;
    throw;
  }
  session.state.server = handshake.session();
  session.stream->limit_messages(request.max_message_bytes);
  co_return session;
}

asio::awaitable<std::string> session_mismatch(OpenedSession& session,
                                              config::TargetSessionAttrs wanted) {
  using config::TargetSessionAttrs;
  if (wanted == TargetSessionAttrs::any) co_return "";
  const auto& parameters = session.state.server.parameters;
  const auto standby = parameters.find("in_hot_standby");  // both are reported since 14
  const auto read_only = parameters.find("default_transaction_read_only");
  const bool reported = standby != parameters.end() && read_only != parameters.end();

  if (wanted == TargetSessionAttrs::read_write || wanted == TargetSessionAttrs::read_only) {
    const bool is_read_only = reported ? standby->second == "on" || read_only->second == "on"
                                       : co_await shows_on(session, "SHOW transaction_read_only");
    if (wanted == TargetSessionAttrs::read_write && is_read_only) co_return "session is read-only";
    if (wanted == TargetSessionAttrs::read_only && !is_read_only) {
      co_return "session is not read-only";
    }
    co_return "";
  }
  const bool is_standby =
      reported ? standby->second == "on" : co_await shows_on(session, "SELECT pg_is_in_recovery()");
  if (wanted == TargetSessionAttrs::primary && is_standby) co_return "server is a standby";
  if (wanted != TargetSessionAttrs::primary && !is_standby) co_return "server is not a standby";
  co_return "";
}

}  // namespace pgcourier::replication
