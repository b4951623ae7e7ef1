// What a server tells beside its answers, §55.2.7, for the log.
#pragma once

#include <string_view>
#include <vector>

#include "protocol/server_error.hpp"

namespace pgcourier::cdc::daemon {

// Severity, SQLSTATE and message of each, the oldest first; DETAIL and the rest may hold row
// values. `connection` says which one. A server that floods us does not flood the log.
void log_notices(const std::vector<protocol::ServerFields>& notices, std::string_view connection);

// What was changed while the publication did not exist is missing in the stream: 18 tells it so,
// servers before by an error.
bool tells_of_missing_publication(const protocol::ServerFields& notice,
                                  std::string_view publication);

}  // namespace pgcourier::cdc::daemon
