// SCRAM for those who have time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/scram_client.hpp"

namespace pgcourier::protocol {

inline std::string salted_at_once(PasswordSalting salting) {
  while (!salting.advance(1'000)) {
  }
  return salting.salted_password();
}

inline ScramProof scram_proof_at_once(std::string_view password, std::string_view salt,
                                      std::uint32_t iterations, std::string_view auth_message) {
  return compute_scram_proof(salted_at_once({password, salt, iterations}), auth_message);
}

inline std::string client_final_at_once(ScramClient& scram, ByteView server_first) {
  return scram.client_final(salted_at_once(scram.salting(server_first)));
}

}  // namespace pgcourier::protocol
