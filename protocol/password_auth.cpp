#include "protocol/password_auth.hpp"

#include <openssl/evp.h>

#include "protocol/authentication_error.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::string_view hexadecimal_digits = "0123456789abcdef";

std::string md5_hexadecimal(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) != 1) {
    throw AuthenticationError(
        "the server asks for an MD5 password, but OpenSSL's settings here forbid MD5");
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text.push_back(hexadecimal_digits[digest[i] >> 4]);
    text.push_back(hexadecimal_digits[digest[i] & 0xf]);
  }
  return text;
}

}  // namespace

std::string md5_password(std::string_view password, std::string_view user, ByteView salt) {
  std::string stored = md5_hexadecimal(std::string(password).append(user));
  return "md5" + md5_hexadecimal(stored.append(salt));
}

}  // namespace pgcourier::protocol
