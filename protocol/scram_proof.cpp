#include "protocol/scram_proof.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <array>
#include <cstddef>

#include "protocol/authentication_error.hpp"

namespace pgcourier::protocol {
namespace {

using Key = std::array<unsigned char, 32>;  // a SHA-256

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view as_text(const Key& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

std::string as_string(const Key& key) { return {key.begin(), key.end()}; }

[[noreturn]] void throw_openssl_refuses() {
  throw AuthenticationError("OpenSSL refuses to compute SCRAM-SHA-256");
}

Key hmac(std::string_view key, std::string_view text) {
  Key result;
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(text), text.size(),
           result.data(), &size) == nullptr) {
    throw_openssl_refuses();
  }
  return result;
}

Key sha256(const Key& key) {
  Key result;
  unsigned int size = 0;
  if (EVP_Digest(key.data(), key.size(), result.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw_openssl_refuses();
  }
  return result;
}

}  // namespace

// HMAC with one key, for many texts.
struct PasswordSalting::State {
  State(std::string_view password, std::string_view salt, std::uint32_t iterations)
      : left(iterations - 1) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> algorithm(
        EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free);
    hmac.reset(EVP_MAC_CTX_new(algorithm.get()));
    std::array<char, 7> digest{"SHA256"};
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string("digest", digest.data(), 0), OSSL_PARAM_construct_end()};
    if (!hmac ||
        EVP_MAC_init(hmac.get(), as_bytes(password), password.size(), parameters.data()) != 1) {
      throw_openssl_refuses();
    }
    add(salt);
    add({"\0\0\0\1", 4});  // the first block, and the only one
    finish();
    sum = last;
  }
  ~State() {
    OPENSSL_cleanse(last.data(), last.size());
    OPENSSL_cleanse(sum.data(), sum.size());
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void begin() {
    if (EVP_MAC_init(hmac.get(), nullptr, 0, nullptr) != 1) throw_openssl_refuses();
  }
  void add(std::string_view text) {
    if (EVP_MAC_update(hmac.get(), as_bytes(text), text.size()) != 1) throw_openssl_refuses();
  }
  void finish() {
    std::size_t size = 0;
    if (EVP_MAC_final(hmac.get(), last.data(), &size, last.size()) != 1) throw_openssl_refuses();
  }

  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> hmac{nullptr, EVP_MAC_CTX_free};
  Key last;  // of the iteration before
  Key sum;   // of all, by exclusive or
  std::uint32_t left;
};

PasswordSalting::PasswordSalting(std::string_view password, std::string_view salt,
                                 std::uint32_t iterations)
    : state_(std::make_unique<State>(password, salt, iterations)) {}
PasswordSalting::~PasswordSalting() = default;
PasswordSalting::PasswordSalting(PasswordSalting&&) noexcept = default;
PasswordSalting& PasswordSalting::operator=(PasswordSalting&&) noexcept = default;

bool PasswordSalting::advance(std::uint32_t most) {
  for (; most > 0 && state_->left > 0; --most, --state_->left) {
    state_->begin();
    state_->add(as_text(state_->last));
    state_->finish();
    for (std::size_t i = 0; i < state_->sum.size(); ++i) state_->sum[i] ^= state_->last[i];
  }
  return state_->left == 0;
}

std::string PasswordSalting::salted_password() const { return as_string(state_->sum); }

ScramProof compute_scram_proof(std::string_view salted_password, std::string_view auth_message) {
  Key client_key = hmac(salted_password, "Client Key");
  const Key client_signature = hmac(as_text(sha256(client_key)), auth_message);
  const Key server_signature = hmac(as_text(hmac(salted_password, "Server Key")), auth_message);
  Key client_proof;
  for (std::size_t i = 0; i < client_proof.size(); ++i) {
    client_proof[i] = static_cast<unsigned char>(client_key[i] ^ client_signature[i]);
  }
  OPENSSL_cleanse(client_key.data(), client_key.size());
  return {as_string(client_proof), as_string(server_signature)};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace pgcourier::protocol
