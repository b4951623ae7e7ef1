#include "cdc/daemon/server_view.hpp"

#include <cstdlib>

#include "protocol/protocol_error.hpp"
#include "protocol/replication_commands.hpp"

namespace pgcourier::cdc::daemon {

namespace {

StreamIdentity identity_of(const replication::QueryResult& identify_system,
                           const std::string& slot) {
  if (identify_system.rows.size() != 1 || identify_system.rows[0].size() < 4) {
    throw protocol::ProtocolError("IDENTIFY_SYSTEM", "the answer is not one row of four columns");
  }
  const auto& row = identify_system.rows[0];
  const auto timeline = std::strtoul(row[1].value_or("").c_str(), nullptr, 10);
  if (!row[0] || row[0]->empty() || timeline == 0 || !row[3]) {
    throw protocol::ProtocolError("IDENTIFY_SYSTEM", "a column is empty");
  }
  return {*row[0], static_cast<std::uint32_t>(timeline), *row[3], slot};
}

}  // namespace

boost::asio::awaitable<void> identify_server(replication::Connection& stream,
                                             const std::string& slot, ServerView& server) {
  const auto answer = co_await stream.query(protocol::identify_system());
  server.identity = identity_of(answer, slot);
  const auto flushed = protocol::parse_lsn(answer.rows[0][2].value_or(""));
  if (!flushed) throw protocol::ProtocolError("IDENTIFY_SYSTEM", "xlogpos is not an LSN");
  server.flushed = *flushed;
  const auto& told = stream.server().parameters;  // in_hot_standby: 14+
  server.standby = told.contains("in_hot_standby") && told.at("in_hot_standby") == "on";
  server.history.clear();
  // Timeline 1 has no history file.
  if (server.identity.timeline <= 1) co_return;
  const auto file = co_await stream.query(protocol::timeline_history(server.identity.timeline));
  if (file.rows.size() != 1 || file.rows[0].size() < 2 || !file.rows[0][1]) {
    throw protocol::ProtocolError("TIMELINE_HISTORY", "the answer is not one row of two columns");
  }
  server.history = protocol::read_timeline_history(*file.rows[0][1]);
}

boost::asio::awaitable<void> read_server_position(replication::Connection& sql,
                                                  ServerView& server) {
  const auto position = co_await sql.query(
      "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
      " ELSE pg_current_wal_flush_lsn() END");
  server.standby = position.rows.at(0).at(0) == "t";
  const auto flushed = protocol::parse_lsn(position.rows[0].at(1).value_or(""));
  if (!flushed) throw protocol::ProtocolError("pg_current_wal_flush_lsn", "not an LSN");
  server.flushed = *flushed;
}

}  // namespace pgcourier::cdc::daemon
