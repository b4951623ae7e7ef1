#include "protocol/oauth_client.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

constexpr char separator = '\x01';
constexpr std::size_t shown_challenge_bytes = 512;

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~+/").find(c) != std::string_view::npos;
}

bool is_b68token(std::string_view text) {
  const std::size_t size = text.find_last_not_of('=') + 1;  // npos + 1 is 0
  return size > 0 && std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size),
                                 is_token_character);
}

}  // namespace

OAuthClient::OAuthClient(std::string token) : token_(std::move(token)) {
  if (token_.size() > max_oauth_token_bytes) {
    throw AuthenticationError("the OAuth token has " + std::to_string(token_.size()) +
                              " bytes, PostgreSQL takes no more than " +
                              std::to_string(max_oauth_token_bytes));
  }
  if (!is_b68token(token_)) {
    throw AuthenticationError(
        token_.empty()
            ? "the OAuth token is empty"
            : "the OAuth token is none: it may have letters, digits and -._~+/ only, then any "
              "number of \"=\"; is there a blank, a second line or a prefix like \"Bearer\" in "
              "it?");
  }
}

OAuthClient::~OAuthClient() { OPENSSL_cleanse(token_.data(), token_.size()); }

// No channel binding, and no other identity than the StartupMessage's.
std::string OAuthClient::initial_response() const {
  return std::string("n,,") + separator + "auth=Bearer " + token_ + separator + separator;
}

std::string OAuthClient::answer_challenge(ByteView challenge) {
  if (refused_) throw ProtocolError("OAUTHBEARER", "a second challenge");
  refused_ = true;
  challenge_ = presentable(challenge);
  if (challenge_.size() > shown_challenge_bytes) {
    challenge_.resize(shown_challenge_bytes);
    challenge_ += "…";
  }
  return {separator};
}

OAuthTokenRefused OAuthClient::refusal(const ServerError& error) const {
  return OAuthTokenRefused("the server refused the OAuth token: " + presentable(error.what()) +
                           "; its reason: " + challenge_ +
                           "; has the token expired, or is it for another issuer or scope?");
}

ServerError OAuthClient::without_token(const ServerError& error) const {
  ServerFields told;
  told.severity = presentable(error.fields().severity);
  told.severity_unlocalized = presentable(error.fields().severity_unlocalized);
  told.sqlstate = presentable(error.fields().sqlstate);
  told.message = presentable(error.fields().message);
  told.detail = presentable(error.fields().detail);
  told.hint = presentable(error.fields().hint);
  return ServerError(std::move(told));
}

std::string OAuthClient::presentable(std::string_view text) const {
  std::string shown;
  for (std::size_t at = text.find(token_); at != std::string_view::npos; at = text.find(token_)) {
    shown.append(text.substr(0, at)).append("***");
    text.remove_prefix(at + token_.size());
  }
  shown += text;
  for (char& c : shown) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return shown;
}

}  // namespace pgcourier::protocol
