// The server's own settings, as far as they stop or hurt a pipeline.
#pragma once

#include "cdc/daemon/checks/finding.hpp"
#include "config/settings.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// `slot_is_needed`: run would create one. Throws what a query throws.
boost::asio::awaitable<void> check_server(replication::Connection& sql,
                                          const config::Settings& settings, bool slot_is_needed,
                                          bool bookmark_exists, Findings& findings);

}  // namespace pgcourier::cdc::daemon
