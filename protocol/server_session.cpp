#include "protocol/server_session.hpp"

namespace pgcourier::protocol {

void keep_parameter(ServerSession& session, const ParameterStatus& status) {
  auto& parameters = session.parameters;
  parameters.insert_or_assign(std::string(status.parameter), std::string(status.value));
  std::size_t bytes = 0;
  for (const auto& [name, value] : parameters) bytes += name.size() + value.size();
  if (parameters.size() > max_parameters || bytes > max_parameter_bytes) {
    throw ProtocolError(ParameterStatus::name, "too many parameters");
  }
}

}  // namespace pgcourier::protocol
