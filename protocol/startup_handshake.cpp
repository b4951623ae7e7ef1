#include "protocol/startup_handshake.hpp"

#include <openssl/crypto.h>

#include <stdexcept>
#include <type_traits>

#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/startup_authentication.hpp"

namespace pgcourier::protocol {

struct StartupHandshake::Impl {
  enum class State {
    fresh,
    sending_request,
    awaiting_answer,
    starting_tls,
    starting_gss,
    asking_gss,
    salting,
    sending,
    reading,
    getting_token,
    ready
  };
  explicit Impl(StartupParameters given)
      : parameters(std::move(given)),
        authentication(parameters),
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
    if (parameters.insist_on_certificate && !certificate_sent) {
      throw AuthenticationError(
          over_tls ? "sslcertmode=require, but no certificate of ours was sent; did the server ask?"
                   : "sslcertmode=require, but the connection does not use TLS: use "
                     "sslmode=require or more");
    }
    std::vector<StartupParameter> list = {{"user", parameters.user}};
    if (!parameters.database.empty()) list.emplace_back("database", parameters.database);
    if (parameters.walsender == Walsender::physical) list.emplace_back("replication", "true");
    if (parameters.walsender == Walsender::database) list.emplace_back("replication", "database");
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

  // What authentication wants next.
  HandshakeStep advance(HandshakeStep step) {
    if (std::holds_alternative<SendBytes>(step)) state = State::sending;
    if (std::holds_alternative<ReadMessage>(step)) state = State::reading;
    if (std::holds_alternative<AskGss>(step)) state = State::asking_gss;
    if (std::holds_alternative<SaltPassword>(step)) state = State::salting;
    if (std::holds_alternative<GetToken>(step)) state = State::getting_token;
    return step;
  }

  HandshakeStep on_ready(ByteView body) {
    read_ready_for_query(body);
    if (!authentication.done()) {
      throw ProtocolError(ReadyForQuery::name, "it came before AuthenticationOk");
    }
    session.protocol_version = negotiation.spoken();
    state = State::ready;
    return Ready{};
  }

  void keep(ByteView body) {
    // Nobody has shown yet that it is the server who says so.
    if (!authentication.done()) {
      throw ProtocolError(ParameterStatus::name, "it came before AuthenticationOk");
    }
    keep_parameter(session, read_parameter_status(body));
  }

  void keep_key(ByteView body) {
    const auto message = read_backend_key_data(body);
    // The version is settled only now.
    if (!authentication.done()) {
      throw ProtocolError(BackendKeyData::name, "it came before AuthenticationOk");
    }
    negotiation.check_cancel_key(message.cancel_key.size());
    session.process_id = message.process_id;
    session.cancel_key = message.cancel_key;
  }

  void negotiate(ByteView body) {
    const auto message = read_negotiate_protocol_version(body);
    if (authentication.done()) {
      throw ProtocolError(NegotiateProtocolVersion::name, "it came after AuthenticationOk");
    }
    negotiation.take(message);
  }

  StartupParameters parameters;
  StartupAuthentication authentication;
  EncryptionNegotiation encryption;
  VersionNegotiation negotiation;
  State state = State::fresh;
  bool over_tls = false;
  bool certificate_sent = false;
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

HandshakeStep StartupHandshake::on_tls(std::optional<std::string> certificate_hash,
                                       bool certificate_sent) {
  impl_->expect(Impl::State::starting_tls);
  impl_->over_tls = true;
  impl_->certificate_sent = certificate_sent;
  impl_->authentication.begin_tls(std::move(certificate_hash));
  return impl_->send_startup_message();
}

HandshakeStep StartupHandshake::on_gss_encryption() {
  impl_->expect(Impl::State::starting_gss);
  impl_->authentication.begin_gss();
  return impl_->send_startup_message();
}

HandshakeStep StartupHandshake::on_gss_token(std::string_view token, bool complete) {
  impl_->expect(Impl::State::asking_gss);
  return impl_->advance(impl_->authentication.on_gss_token(token, complete));
}

HandshakeStep StartupHandshake::on_salted_password(std::string salted_password) {
  impl_->expect(Impl::State::salting);
  return impl_->advance(impl_->authentication.on_salted_password(std::move(salted_password)));
}

HandshakeStep StartupHandshake::on_message(char type, ByteView body) {
  impl_->expect(Impl::State::reading);
  switch (type) {
    case 'R':
      return impl_->advance(impl_->authentication.on_request(body));
    case 'E':
      impl_->authentication.on_error(ServerError(read_server_fields(body)));
    case 'S':
      impl_->keep(body);
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

void StartupHandshake::on_unframed_error(ByteView text) const {
  impl_->expect(Impl::State::reading);
  ServerFields fields;
  fields.severity_unlocalized = "FATAL";
  fields.sqlstate = "57P03";
  fields.message = text.substr(0, text.find_last_not_of(" \r\n") + 1);
  throw ServerError(std::move(fields));
}

HandshakeStep StartupHandshake::on_token(std::string token) {
  impl_->expect(Impl::State::getting_token);
  return impl_->advance(impl_->authentication.on_token(std::move(token)));
}

const ServerSession& StartupHandshake::session() const { return impl_->session; }

}  // namespace pgcourier::protocol
