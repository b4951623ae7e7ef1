#include "protocol/startup_handshake.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "protocol/authentication_messages.hpp"
#include "protocol/authentication_policy.hpp"
#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/password_auth.hpp"
#include "protocol/scram_client.hpp"

namespace pgcourier::protocol {
namespace {

// A server reports some fifteen; a stranger shall not fill our memory with more.
constexpr std::size_t most_parameters = 1000;

bool offers(const AuthenticationSASL& request, std::string_view mechanism) {
  return std::find(request.mechanisms.begin(), request.mechanisms.end(), mechanism) !=
         request.mechanisms.end();
}

// A name for the methods that need no more than a sentence.
struct Unsupported {
  AuthenticationMethod method;
  std::string_view name;
};

}  // namespace

struct StartupHandshake::Impl {
  enum class State {
    fresh,
    sending_request,
    awaiting_answer,
    starting_tls,
    starting_gss,
    asking_gss,
    sending,
    reading,
    ready
  };
  // How far the server's authentication request has come.
  enum class Progress { not_asked, answered, in_scram, in_gss, done };

  explicit Impl(StartupParameters given)
      : parameters(std::move(given)),
        policy(parameters.require_auth, parameters.channel_binding),
        encryption(parameters),
        negotiation(parameters.min_protocol_version, parameters.max_protocol_version) {}
  ~Impl() {
    if (parameters.password) {
      OPENSSL_cleanse(parameters.password->data(), parameters.password->size());
    }
  }

  void expect(State expected) const {
    if (state != expected) throw std::logic_error("StartupHandshake: called out of order");
  }

  SendBytes send(std::string bytes) {
    state = State::sending;
    return {std::move(bytes)};
  }

  SendBytes send_startup_message() {
    std::vector<StartupParameter> list = {{"user", parameters.user}};
    if (!parameters.database.empty()) list.emplace_back("database", parameters.database);
    if (parameters.replication) list.emplace_back("replication", "database");
    list.insert(list.end(), parameters.settings.begin(), parameters.settings.end());
    std::string bytes;
    append_startup_message(bytes, parameters.max_protocol_version, list);
    return send(std::move(bytes));
  }

  HandshakeStep request_encryption(void (*append)(std::string&)) {
    state = State::sending_request;
    SendBytes request;
    append(request.bytes);
    return request;
  }

  HandshakeStep follow(EncryptionNegotiation::Next next) {
    using Next = EncryptionNegotiation::Next;
    switch (next) {
      case Next::ask_for_gss:
        return request_encryption(append_gss_enc_request);
      case Next::ask_for_tls:
        return request_encryption(append_ssl_request);
      case Next::start_gss:
        state = State::starting_gss;
        return StartGss{};
      case Next::start_tls:
        state = State::starting_tls;
        return StartTls{};
      case Next::send_startup_message:
        break;
    }
    return send_startup_message();
  }

  const std::string& password(std::string_view method) const {
    if (!parameters.password || parameters.password->empty()) {
      throw AuthenticationError("the server asks for a password (" + std::string(method) +
                                "), but none was given");
    }
    return *parameters.password;
  }

  // A server that asks again after an answer is fishing for the password in another form.
  void expect_first_request(AuthenticationMethod method) {
    if (progress != Progress::not_asked) {
      throw ProtocolError("Authentication", "a second request for authentication");
    }
    policy.check_request(method);
  }

  ScramClient& scram_in_progress() {
    if (progress != Progress::in_scram) {
      throw ProtocolError("Authentication", "a SASL message outside of SASL");
    }
    return *scram;
  }

  [[noreturn]] void refuse(const Unsupported& unsupported) {
    expect_first_request(unsupported.method);
    throw AuthenticationError("the server asks for " + std::string(unsupported.name) +
                              " authentication, which is not supported");
  }

  ChannelBinding choose_binding(const AuthenticationSASL& request) const {
    const bool plus_offered = offers(request, "SCRAM-SHA-256-PLUS");
    if (policy.binding_required() && !over_tls) {
      throw AuthenticationError("channel_binding=require, but the connection does not use TLS");
    }
    if (plus_offered && !over_tls) {
      throw AuthenticationError(
          "the server offers SCRAM-SHA-256-PLUS on a connection without TLS: somebody between us "
          "may have removed it");
    }
    const bool able = over_tls && certificate_hash && !policy.binding_disabled();
    if (able && plus_offered) return ChannelBinding::tls_server_end_point(*certificate_hash);
    if (policy.binding_required()) {
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

  HandshakeStep answer(const AuthenticationOk&) {
    if (progress == Progress::in_scram && !scram->verified()) {
      throw AuthenticationError(
          "the server let us in without proving that it knows the password (SCRAM cut short)");
    }
    if (progress == Progress::in_gss && !gss_complete) {
      throw AuthenticationError(
          "the server let us in without proving who it is (GSSAPI cut short)");
    }
    // Who encrypts by GSSAPI has authenticated by it, so the server need not ask.
    const bool by_encryption = over_gss && policy.allows(AuthenticationMethod::gss);
    policy.check_outcome(progress != Progress::not_asked || by_encryption, scram && scram_bound);
    progress = Progress::done;
    return ReadMessage{};
  }
  HandshakeStep answer(const AuthenticationCleartextPassword&) {
    expect_first_request(AuthenticationMethod::password);
    std::string bytes;
    append_password_message(bytes, password("cleartext"));
    progress = Progress::answered;
    return send(std::move(bytes));
  }
  HandshakeStep answer(const AuthenticationMD5Password& request) {
    expect_first_request(AuthenticationMethod::md5);
    std::string bytes;
    append_password_message(bytes, md5_password(password("md5"), parameters.user, request.salt));
    progress = Progress::answered;
    return send(std::move(bytes));
  }
  HandshakeStep answer(const AuthenticationSASL& request) {
    const bool only_oauth = request.mechanisms.size() == 1 && offers(request, "OAUTHBEARER");
    if (only_oauth) refuse({AuthenticationMethod::oauth, "OAuth"});
    expect_first_request(AuthenticationMethod::scram_sha_256);
    auto binding = choose_binding(request);
    scram_bound = binding.bound();
    scram.emplace(password("scram-sha-256"), parameters.scram_nonce, std::move(binding));
    std::string bytes;
    append_sasl_initial_response(bytes, scram->mechanism(), scram->client_first());
    progress = Progress::in_scram;
    return send(std::move(bytes));
  }
  HandshakeStep answer(const AuthenticationSASLContinue& message) {
    std::string bytes;
    append_sasl_response(bytes, scram_in_progress().client_final(message.data));
    return send(std::move(bytes));
  }
  HandshakeStep answer(const AuthenticationSASLFinal& message) {
    scram_in_progress().verify(message.data);
    return ReadMessage{};
  }
  HandshakeStep answer(const AuthenticationGSS&) {
    expect_first_request(AuthenticationMethod::gss);
    if (over_gss) throw ProtocolError("Authentication", "GSSAPI within GSSAPI encryption");
    progress = Progress::in_gss;
    return ask_gss({});
  }
  HandshakeStep answer(const AuthenticationSSPI&) { refuse({AuthenticationMethod::sspi, "SSPI"}); }
  HandshakeStep answer(const AuthenticationKerberosV5&) {
    throw AuthenticationError(
        "the server asks for Kerberos V5 authentication, which is not supported");
  }
  HandshakeStep answer(const AuthenticationGSSContinue& message) {
    if (progress != Progress::in_gss || gss_complete) {
      throw ProtocolError("Authentication", "a GSSAPI message outside of GSSAPI");
    }
    return ask_gss(message.data);
  }
  AskGss ask_gss(ByteView token) {
    state = State::asking_gss;
    return {std::string(token)};
  }
  HandshakeStep answer(const AuthenticationUnknown& request) {
    throw AuthenticationError("the server asks for an authentication method that is not known (" +
                              std::to_string(request.code) + ")");
  }

  HandshakeStep on_authentication(ByteView body) {
    const auto message = read_authentication(body);
    if (progress == Progress::done) {
      throw ProtocolError("Authentication", "it came after AuthenticationOk");
    }
    return std::visit([this](const auto& request) { return answer(request); }, message);
  }

  HandshakeStep on_ready(ByteView body) {
    read_ready_for_query(body);
    if (progress != Progress::done) {
      throw ProtocolError(ReadyForQuery::name, "it came before AuthenticationOk");
    }
    session.protocol_version = negotiation.spoken();
    state = State::ready;
    return Ready{};
  }

  void keep_parameter(ByteView body) {
    const auto message = read_parameter_status(body);
    if (session.parameters.size() >= most_parameters) {
      throw ProtocolError(ParameterStatus::name, "too many parameters");
    }
    session.parameters.insert_or_assign(std::string(message.parameter), message.value);
  }

  void keep_key(ByteView body) {
    const auto message = read_backend_key_data(body);
    // The version is settled only now.
    if (progress != Progress::done) {
      throw ProtocolError(BackendKeyData::name, "it came before AuthenticationOk");
    }
    negotiation.check_cancel_key(message.cancel_key.size());
    session.process_id = message.process_id;
    session.cancel_key = message.cancel_key;
  }

  void negotiate(ByteView body) {
    const auto message = read_negotiate_protocol_version(body);
    if (progress == Progress::done) {
      throw ProtocolError(NegotiateProtocolVersion::name, "it came after AuthenticationOk");
    }
    negotiation.take(message);
  }

  StartupParameters parameters;
  AuthenticationPolicy policy;
  EncryptionNegotiation encryption;
  VersionNegotiation negotiation;
  State state = State::fresh;
  Progress progress = Progress::not_asked;
  bool over_tls = false;
  bool over_gss = false;
  bool gss_complete = false;
  std::optional<std::string> certificate_hash;
  std::optional<ScramClient> scram;
  bool scram_bound = false;
  ServerSession session;
};

StartupHandshake::StartupHandshake(StartupParameters parameters)
    : impl_(std::make_unique<Impl>(std::move(parameters))) {}
StartupHandshake::StartupHandshake(StartupHandshake&&) noexcept = default;
StartupHandshake& StartupHandshake::operator=(StartupHandshake&&) noexcept = default;
StartupHandshake::~StartupHandshake() = default;

HandshakeStep StartupHandshake::start() {
  impl_->expect(Impl::State::fresh);
  return impl_->follow(impl_->encryption.start());
}

HandshakeStep StartupHandshake::sent() {
  if (impl_->state == Impl::State::sending_request) {
    impl_->state = Impl::State::awaiting_answer;
    return ReadByte{};
  }
  impl_->expect(Impl::State::sending);
  impl_->state = Impl::State::reading;
  return ReadMessage{};
}

HandshakeStep StartupHandshake::on_byte(char answer) {
  impl_->expect(Impl::State::awaiting_answer);
  return impl_->follow(impl_->encryption.on_answer(answer));
}

HandshakeStep StartupHandshake::on_tls(std::optional<std::string> certificate_hash) {
  impl_->expect(Impl::State::starting_tls);
  impl_->over_tls = true;
  if (certificate_hash && !certificate_hash->empty()) {
    impl_->certificate_hash = std::move(certificate_hash);
  }
  return impl_->send_startup_message();
}

HandshakeStep StartupHandshake::on_gss_encryption() {
  impl_->expect(Impl::State::starting_gss);
  impl_->over_gss = true;
  return impl_->send_startup_message();
}

HandshakeStep StartupHandshake::on_gss_token(std::string_view token, bool complete) {
  impl_->expect(Impl::State::asking_gss);
  impl_->gss_complete = complete;
  impl_->state = Impl::State::reading;
  if (token.empty()) return ReadMessage{};
  std::string bytes;
  append_gss_response(bytes, token);
  return impl_->send(std::move(bytes));
}

HandshakeStep StartupHandshake::on_message(char type, ByteView body) {
  impl_->expect(Impl::State::reading);
  switch (type) {
    case 'R':
      return impl_->on_authentication(body);
    case 'E':
      throw ServerError(read_server_fields(body));
    case 'N':
      read_server_fields(body);
      return ReadMessage{};
    case 'S':
      impl_->keep_parameter(body);
      return ReadMessage{};
    case 'K':
      impl_->keep_key(body);
      return ReadMessage{};
    case 'v':
      impl_->negotiate(body);
      return ReadMessage{};
    case 'Z':
      return impl_->on_ready(body);
    default:
      throw ProtocolError("start-up", "unexpected " + describe_backend_message(type));
  }
}

const ServerSession& StartupHandshake::session() const { return impl_->session; }

}  // namespace pgcourier::protocol
