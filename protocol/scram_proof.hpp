// The arithmetic of SCRAM-SHA-256, RFC 5802 §3.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgcourier::protocol {

// SaltedPassword, which is PBKDF2 with HMAC-SHA-256, a part at a time: a server may ask for so many
// iterations that all of them take seconds. Throws AuthenticationError where OpenSSL refuses.
class PasswordSalting {
 public:
  PasswordSalting(std::string_view password, std::string_view salt, std::uint32_t iterations);
  ~PasswordSalting();  // wipes the secrets
  PasswordSalting(PasswordSalting&&) noexcept;
  PasswordSalting& operator=(PasswordSalting&&) noexcept;

  // No more than so many of the iterations. Whether all are done.
  bool advance(std::uint32_t most);
  // REQUIRES: all are done. Raw, the caller's to wipe.
  std::string salted_password() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Both raw, not base64.
struct ScramProof {
  std::string client_proof;      // shows that we know the password
  std::string server_signature;  // which only somebody who knows the stored keys can make
};

ScramProof compute_scram_proof(std::string_view salted_password, std::string_view auth_message);

// Takes the same time wherever the difference is.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace pgcourier::protocol
