// For when the server breaks the protocol.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pgcourier::protocol {

// What arrived is not what chapter 55 allows, so nothing after it can be trusted: close the
// connection. what() names the message, the reason and the byte: "Update: expected the new row
// ('N') at byte 5".
class ProtocolError : public std::runtime_error {
 public:
  ProtocolError(std::string_view message, std::string_view reason, std::size_t offset)
      : std::runtime_error(std::string(message) + ": " + std::string(reason) + " at byte " +
                           std::to_string(offset)) {}

  // For what is wrong with a dialogue rather than with one byte.
  ProtocolError(std::string_view message, std::string_view reason)
      : std::runtime_error(std::string(message) + ": " + std::string(reason)) {}
};

}  // namespace pgcourier::protocol
