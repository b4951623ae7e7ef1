#include "protocol/version_negotiation.hpp"

#include <string>

#include "protocol/authentication_error.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::uint32_t protocol_3_1 = 3 << 16 | 1;
constexpr std::size_t cancel_key_of_3_0 = 4;

std::string text_of(std::uint32_t version) {
  return std::to_string(version >> 16) + '.' + std::to_string(version & 0xffff);
}

[[noreturn]] void refuse(const std::string& reason) {
  throw ProtocolError(NegotiateProtocolVersion::name, reason);
}

}  // namespace

void VersionNegotiation::take(const NegotiateProtocolVersion& answer) {
  if (negotiated_) refuse("it came twice");
  negotiated_ = true;
  const std::uint32_t offered = answer.newest_version;
  if (offered > spoken_ || offered < protocol_3_0 || offered == protocol_3_1) {
    refuse("the server offers version " + text_of(offered) + " where " + text_of(spoken_) +
           " was asked for");
  }
  // We send none, so there is none that it could not know.
  if (!answer.unrecognized_options.empty()) {
    refuse("the server refuses an option that was not sent: " +
           std::string(answer.unrecognized_options.front()));
  }
  if (offered == spoken_) refuse("the server asks for no change");
  if (offered < oldest_) {
    throw AuthenticationError("the server speaks version " + text_of(offered) +
                              " of the protocol at most, but min_protocol_version is " +
                              text_of(oldest_));
  }
  spoken_ = offered;
}

void VersionNegotiation::check_cancel_key(std::size_t bytes) const {
  if (spoken_ == protocol_3_0 && bytes != cancel_key_of_3_0) {
    throw ProtocolError(BackendKeyData::name, "the cancel key is not 4 bytes long in version 3.0");
  }
}

}  // namespace pgcourier::protocol
