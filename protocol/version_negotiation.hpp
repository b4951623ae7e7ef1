// Which version of the protocol a session speaks, §55.1 and NegotiateProtocolVersion in §55.7.
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol/backend_messages.hpp"

namespace pgcourier::protocol {

// As in the StartupMessage: major << 16 | minor. There never was a 3.1.
constexpr std::uint32_t protocol_3_0 = 3 << 16;
constexpr std::uint32_t protocol_3_2 = 3 << 16 | 2;

// Begins with the version that we ask for, which a server that knows it takes without a word. As
// strict as libpq 18. Throws ProtocolError for nonsense, AuthenticationError where the server knows
// no version that we may speak.
class VersionNegotiation {
 public:
  VersionNegotiation(std::uint32_t oldest, std::uint32_t asked) : oldest_(oldest), spoken_(asked) {}

  std::uint32_t spoken() const { return spoken_; }

  void take(const NegotiateProtocolVersion& answer);

  // 4 bytes in 3.0; read_backend_key_data() knows the bounds of later ones.
  void check_cancel_key(std::size_t bytes) const;

 private:
  std::uint32_t oldest_;
  std::uint32_t spoken_;
  bool negotiated_ = false;
};

}  // namespace pgcourier::protocol
