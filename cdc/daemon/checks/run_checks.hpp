// All checks in the order in which `run` would come across what they find.
#pragma once

#include "cdc/daemon/checks/finding.hpp"
#include "cdc/daemon/checks/publication_checks.hpp"
#include "cdc/daemon/session_start.hpp"

namespace pgcourier::cdc::daemon {

// `pgcourier check`. Changes nothing, here or on the servers. Never throws but std::bad_alloc: what
// fails is a finding.
asio::awaitable<void> run_checks(const SessionContext& context, Findings& findings);

// What must hold before a slot is made, because an orphan slot fills the primary's disk
// (delivery.md 9): server, publication, folders, brokers. Logs the warnings; throws StopError for
// the first error, or SinkError{unavailable} where time may heal it. REQUIRES: the server is
// identified and the bookmarks were looked at. `slot_is_missing`: false if an invalidated one will
// make room.
asio::awaitable<void> require_startable(const SessionContext& context, StartedSession& started,
                                        bool slot_is_missing);

// The published tables that source.tables lets through. `warn`: logs what the publication will not
// give, a missing replica identity first of all.
asio::awaitable<TableNames> published_tables(const SessionContext& context, StartedSession& started,
                                             bool warn);

}  // namespace pgcourier::cdc::daemon
