// What the server has told of the session itself, §55.2.1 and §55.2.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "protocol/backend_messages.hpp"
#include "protocol/version_negotiation.hpp"

namespace pgcourier::protocol {

struct ServerSession {
  std::uint32_t protocol_version = protocol_3_0;  // the one that is spoken
  std::int32_t process_id = 0;
  std::string cancel_key;
  std::map<std::string, std::string> parameters;  // ParameterStatus, by keep_parameter()
};

// A server reports some fifteen; a stranger shall not fill our memory with more.
constexpr std::size_t max_parameters = 1000;
constexpr std::size_t max_parameter_bytes = 1024 * 1024;  // names and values of all of them

// The newest value of each. ProtocolError at a limit.
void keep_parameter(ServerSession& session, const ParameterStatus& status);

}  // namespace pgcourier::protocol
