// source.create_publication.
#pragma once

#include "config/settings.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// CREATE PUBLICATION for the tables that source.tables names now, or for all tables. Throws
// StopError (78) if no table matches, and what a query throws.
boost::asio::awaitable<void> create_publication(replication::Connection& sql,
                                                const config::Source& source);

}  // namespace pgcourier::cdc::daemon
