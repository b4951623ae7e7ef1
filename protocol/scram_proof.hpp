// The arithmetic of SCRAM-SHA-256, RFC 5802 §3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pgcourier::protocol {

// Both raw, not base64.
struct ScramProof {
  std::string client_proof;      // shows that we know the password
  std::string server_signature;  // which only somebody who knows the stored keys can make
};

// Takes time in proportion to `iterations`: about a second for three million.
ScramProof compute_scram_proof(std::string_view password, std::string_view salt,
                               std::uint32_t iterations, std::string_view auth_message);

// Takes the same time wherever the difference is.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace pgcourier::protocol
