#include "protocol/scram_proof.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstddef>

#include "protocol/authentication_error.hpp"

namespace pgcourier::protocol {
namespace {

using Key = std::array<unsigned char, 32>;  // a SHA-256

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string as_string(const Key& key) { return {key.begin(), key.end()}; }

[[noreturn]] void throw_openssl_refuses() {
  throw AuthenticationError("OpenSSL refuses to compute SCRAM-SHA-256");
}

Key salted_password(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  Key key;
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), as_bytes(salt),
                        static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                        static_cast<int>(key.size()), key.data()) != 1) {
    throw_openssl_refuses();
  }
  return key;
}

Key hmac(const Key& key, std::string_view text) {
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

ScramProof compute_scram_proof(std::string_view password, std::string_view salt,
                               std::uint32_t iterations, std::string_view auth_message) {
  Key salted = salted_password(password, salt, iterations);
  Key client_key = hmac(salted, "Client Key");
  const Key client_signature = hmac(sha256(client_key), auth_message);
  const Key server_signature = hmac(hmac(salted, "Server Key"), auth_message);
  Key client_proof;
  for (std::size_t i = 0; i < client_proof.size(); ++i) {
    client_proof[i] = static_cast<unsigned char>(client_key[i] ^ client_signature[i]);
  }
  OPENSSL_cleanse(salted.data(), salted.size());
  OPENSSL_cleanse(client_key.data(), client_key.size());
  return {as_string(client_proof), as_string(server_signature)};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace pgcourier::protocol
