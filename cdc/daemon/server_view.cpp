#include "cdc/daemon/server_view.hpp"

#include "cdc/daemon/single_row.hpp"
#include "protocol/protocol_error.hpp"
#include "replication/replication_commands.hpp"

namespace pgcourier::cdc::daemon {

boost::asio::awaitable<void> identify_server(replication::Connection& stream,
                                             const std::string& slot, ServerView& server) {
  const auto system = co_await replication::identify_system(stream);
  if (!system.database) throw protocol::ProtocolError("IDENTIFY_SYSTEM", "no database");
  server.identity = {system.system_identifier, system.timeline, *system.database, slot};
  server.flushed = system.xlogpos;
  const auto& told = stream.server().parameters;  // in_hot_standby: 14+
  server.standby = told.contains("in_hot_standby") && told.at("in_hot_standby") == "on";
  server.history.clear();
  // Timeline 1 has no history file.
  if (server.identity.timeline <= 1) co_return;
  const auto file = co_await replication::timeline_history(stream, server.identity.timeline);
  server.history = protocol::read_timeline_history(file.content);
}

boost::asio::awaitable<void> read_server_position(replication::Connection& sql,
                                                  ServerView& server) {
  const auto answer = co_await sql.query(
      "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
      " ELSE pg_current_wal_flush_lsn() END");
  const auto& position = single_row(answer, 2, "pg_is_in_recovery");
  server.standby = position[0] == "t";
  const auto flushed = protocol::parse_lsn(position[1].value_or(""));
  if (!flushed) throw protocol::ProtocolError("pg_current_wal_flush_lsn", "not an LSN");
  server.flushed = *flushed;
}

}  // namespace pgcourier::cdc::daemon
