// Folders, locks, brokers and topics: what run needs beside PostgreSQL.
#pragma once

#include "cdc/daemon/checks/finding.hpp"
#include "cdc/daemon/checks/publication_checks.hpp"
#include "cdc/daemon/http_answers.hpp"
#include "config/settings.hpp"

namespace pgcourier::cdc::daemon {

// state_dir and all sinks, the bookmarks aside. BLOCKING (Kafka); changes nothing. `tables` will
// give events.
void check_sinks(const config::Settings& settings, const TableNames& tables, Findings& findings);

// http.listen: can be bound, or is bound by a run of this pipeline. BLOCKING, for two seconds at
// most.
void check_http(const config::Settings& settings, const StatusSource& status, Findings& findings);

}  // namespace pgcourier::cdc::daemon
