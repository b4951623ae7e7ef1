// libpq as the oracle: both make the same verifier of any password.
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <memory>

#include "protocol/base64.hpp"
#include "protocol/sasl_prep.hpp"
#include "tests/protocol/scram_at_once.hpp"

namespace pgcourier::protocol {
namespace {

struct FreeLibpq {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(char* text) const { PQfreemem(text); }
};

// "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey"; libpq wants a connection, though not an open one.
std::string verifier_of(const std::string& password) {
  static const std::unique_ptr<PGconn, FreeLibpq> connection(PQconnectStart("host=/nowhere"));
  const std::unique_ptr<char, FreeLibpq> verifier(
      PQencryptPasswordConn(connection.get(), password.c_str(), "u", "scram-sha-256"));
  return verifier ? verifier.get() : "";
}

std::string hmac_sha256(const std::string& key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), result.data(), &size);
  return {reinterpret_cast<const char*>(result.data()), size};
}

// Whether a server that stored the verifier takes us for somebody who knows the password.
bool satisfies(const std::string& password, const std::string& verifier) {
  const auto salt_at = verifier.find(':') + 1;
  const auto stored_at = verifier.find('$', salt_at) + 1;
  const auto salt = decode_base64(verifier.substr(salt_at, stored_at - 1 - salt_at));
  const auto server_key = decode_base64(verifier.substr(verifier.find(':', stored_at) + 1));
  if (!salt || !server_key) return false;
  const auto proof = scram_proof_at_once(sasl_prep(password), *salt, 4096, "dialogue");
  return proof.server_signature == hmac_sha256(*server_key, "dialogue");
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto continuation = [&](unsigned shift) {
    text += static_cast<char>(0x80 | ((code >> shift) & 0x3f));
  };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | code >> 6);
    continuation(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0 | code >> 12);
    continuation(6);
    continuation(0);
  } else {
    text += static_cast<char>(0xf0 | code >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

TEST(SaslPrepOracle, KnowsAWrongPassword) {
  const std::string verifier = verifier_of("pencil");
  EXPECT_TRUE(satisfies("pencil", verifier));
  EXPECT_FALSE(satisfies("pen", verifier));
}

// Every kind of code point: mapped, composed, prohibited, of each direction, not assigned.
RC_GTEST_PROP(SaslPrepOracle, AgreesOnCodePoints, ()) {
  const auto code = rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(1, 0x250),
                                   rc::gen::inRange<std::uint32_t>(0x300, 0x370),
                                   rc::gen::inRange<std::uint32_t>(0x590, 0x700),
                                   rc::gen::inRange<std::uint32_t>(0x1100, 0x1200),
                                   rc::gen::inRange<std::uint32_t>(0x1e00, 0x2200),
                                   rc::gen::inRange<std::uint32_t>(0xf900, 0x10000),
                                   rc::gen::inRange<std::uint32_t>(0x2f800, 0x2fa20),
                                   rc::gen::inRange<std::uint32_t>(1, 0x110000));
  std::string password;
  for (const auto each : *rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint32_t>>(code))) {
    append_utf8(password, each);
  }
  RC_ASSERT(satisfies(password, verifier_of(password)));
}

RC_GTEST_PROP(SaslPrepOracle, AgreesOnBytes, ()) {
  const auto password =
      *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::nonZero<char>()));
  RC_ASSERT(satisfies(password, verifier_of(password)));
}

}  // namespace
}  // namespace pgcourier::protocol
