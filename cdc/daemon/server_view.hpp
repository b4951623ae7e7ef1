// Which server this is and how far it has come, for the start check (delivery.md 8).
#pragma once

#include <string>

#include "cdc/start_check.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// Identity, history and position, from a walsender that is not yet in copy-both mode
// (IDENTIFY_SYSTEM, TIMELINE_HISTORY; §55.4).
boost::asio::awaitable<void> identify_server(replication::Connection& stream,
                                             const std::string& slot, ServerView& server);

// Position and standby, by SQL: of this moment.
boost::asio::awaitable<void> read_server_position(replication::Connection& sql, ServerView& server);

}  // namespace pgcourier::cdc::daemon
