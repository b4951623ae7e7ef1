#include "protocol/scram_client.hpp"

#include <openssl/crypto.h>

#include <charconv>
#include <stdexcept>

#include "protocol/authentication_error.hpp"
#include "protocol/base64.hpp"
#include "protocol/sasl_prep.hpp"
#include "protocol/scram_proof.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::uint32_t most_iterations = 1'000'000;
constexpr std::string_view server_first_name = "SCRAM server-first-message";
constexpr std::string_view server_final_name = "SCRAM server-final-message";

// RFC 5802's `printable`: visible ASCII but the comma, which separates attributes.
bool is_nonce(std::string_view text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e || c == ',') return false;
  }
  return !text.empty();
}

// Takes "n=value" off the front of `message`, with the comma behind it.
std::string_view take_attribute(std::string_view& message, char name,
                                std::string_view message_name) {
  if (message.size() < 2 || message[0] != name || message[1] != '=') {
    throw ProtocolError(message_name, std::string("expected the attribute '") + name + "'");
  }
  message.remove_prefix(2);
  const auto comma = message.find(',');
  const auto value = message.substr(0, comma);
  message.remove_prefix(comma == std::string_view::npos ? message.size() : comma + 1);
  return value;
}

void throw_if_server_refused(std::string_view message) {
  if (!message.starts_with("e=")) return;
  std::string reason(message.substr(2, message.find(',') - 2));
  for (char& c : reason) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  throw AuthenticationError("SCRAM: the server refused: " + reason);
}

std::uint32_t iteration_count(std::string_view text) {
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool number = error == std::errc{} && end == text.data() + text.size();
  if (!number || count < 1 || count > most_iterations) {
    throw ProtocolError(server_first_name, "the iteration count is not between 1 and 1,000,000");
  }
  return count;
}

void wipe(std::string& secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace

ChannelBinding::ChannelBinding(std::string gs2_header, std::string data)
    : gs2_header_(std::move(gs2_header)), data_(std::move(data)) {}

ChannelBinding ChannelBinding::unsupported() { return {"n,,", {}}; }

ChannelBinding ChannelBinding::not_offered() { return {"y,,", {}}; }

ChannelBinding ChannelBinding::tls_server_end_point(std::string_view certificate_hash) {
  if (certificate_hash.empty()) throw std::invalid_argument("an empty certificate hash");
  return {"p=tls-server-end-point,,", std::string(certificate_hash)};
}

ScramClient::ScramClient(std::string_view password, std::string_view nonce, ChannelBinding binding)
    : binding_(std::move(binding)), password_(sasl_prep(password)), nonce_(nonce) {
  if (!is_nonce(nonce)) throw std::invalid_argument("a SCRAM nonce must be printable ASCII");
}

ScramClient::~ScramClient() {
  wipe(password_);
  wipe(server_signature_);
}

std::string_view ScramClient::mechanism() const {
  return binding_.bound() ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
}

// The user name stays empty: PostgreSQL takes the one of the StartupMessage.
std::string ScramClient::client_first() {
  client_first_bare_ = "n=,r=" + nonce_;
  state_ = State::sent_first;
  return binding_.gs2_header() + client_first_bare_;
}

PasswordSalting ScramClient::salting(ByteView server_first) {
  if (state_ != State::sent_first) {
    throw ProtocolError(server_first_name, "it came out of order");
  }
  throw_if_server_refused(server_first);
  std::string_view rest = server_first;
  const auto nonce = take_attribute(rest, 'r', server_first_name);
  const auto salt = decode_base64(take_attribute(rest, 's', server_first_name));
  const auto iterations = iteration_count(take_attribute(rest, 'i', server_first_name));
  if (!rest.empty() || server_first.ends_with(',')) {
    throw ProtocolError(server_first_name, "unknown attributes");
  }
  if (!is_nonce(nonce) || !nonce.starts_with(nonce_) || nonce.size() == nonce_.size()) {
    throw ProtocolError(server_first_name, "the nonce does not extend ours");
  }
  if (!salt || salt->empty()) throw ProtocolError(server_first_name, "the salt is not base64");

  client_final_without_proof_ =
      "c=" + encode_base64(binding_.gs2_header() + binding_.data()) + ",r=";
  client_final_without_proof_ += nonce;
  auth_message_ =
      client_first_bare_ + ',' + std::string(server_first) + ',' + client_final_without_proof_;
  state_ = State::salting;
  return {password_, *salt, iterations};
}

std::string ScramClient::client_final(std::string_view salted_password) {
  if (state_ != State::salting) throw std::logic_error("no password was to be salted");
  auto proof = compute_scram_proof(salted_password, auth_message_);
  server_signature_ = std::move(proof.server_signature);
  state_ = State::sent_final;
  return client_final_without_proof_ + ",p=" + encode_base64(proof.client_proof);
}

void ScramClient::verify(ByteView server_final) {
  if (state_ != State::sent_final) {
    throw ProtocolError(server_final_name, "it came out of order");
  }
  throw_if_server_refused(server_final);
  std::string_view rest = server_final;
  const auto signature = decode_base64(take_attribute(rest, 'v', server_final_name));
  if (!rest.empty() || server_final.ends_with(',')) {
    throw ProtocolError(server_final_name, "unknown attributes");
  }
  if (!signature) throw ProtocolError(server_final_name, "the signature is not base64");
  if (!equal_in_constant_time(*signature, server_signature_)) {
    throw AuthenticationError(
        "SCRAM: the server could not prove that it knows the password; is it the right one?");
  }
  state_ = State::verified;
}

}  // namespace pgcourier::protocol
