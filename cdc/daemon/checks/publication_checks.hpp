// The publication and its tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cdc/daemon/checks/finding.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// How `run` ends without its publication.
StopError missing_publication(const config::Source& source, const std::string& database,
                              bool bookmark_exists);

// The same where it was missing for a while, and the stream has come to what was changed then.
StopError publication_was_missing(const config::Source& source, bool bookmark_exists);

// The published tables that source.tables lets through. Throws FilterError and what a query throws.
boost::asio::awaitable<TableNames> check_publication(replication::Connection& sql,
                                                     const config::Source& source,
                                                     const std::string& database,
                                                     bool bookmark_exists, Findings& findings);

}  // namespace pgcourier::cdc::daemon
