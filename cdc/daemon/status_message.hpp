// The one place that writes a standby status update to the server (§55.4).
#pragma once

#include "cdc/feedback.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// apply is always flush. `ask`: the server shall answer with a keepalive.
void send_status(replication::Connection& stream, const StatusPositions& positions, bool ask);

}  // namespace pgcourier::cdc::daemon
