#include "cdc/daemon/status_message.hpp"

#include <chrono>
#include <string>

#include "protocol/pg_time.hpp"
#include "protocol/replication_messages.hpp"

namespace pgcourier::cdc::daemon {

void send_status(replication::Connection& stream, const StatusPositions& positions, bool ask) {
  protocol::StandbyStatusUpdate status;
  status.write = positions.write;
  status.flush = positions.flush;
  status.apply = positions.flush;
  status.client_time =
      protocol::from_unix_microseconds(std::chrono::duration_cast<std::chrono::microseconds>(
                                           std::chrono::system_clock::now().time_since_epoch())
                                           .count());
  status.reply_requested = ask;
  stream.send_copy_data(protocol::standby_status_update(status));
}

}  // namespace pgcourier::cdc::daemon
