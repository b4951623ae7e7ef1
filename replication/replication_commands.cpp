#include "replication/replication_commands.hpp"

#include <utility>
#include <vector>

#include "protocol/protocol_error.hpp"

namespace pgcourier::replication {
namespace {

// Sends `command` and reads its one row.
template <typename Read>
asio::awaitable<decltype(std::declval<Read>()(protocol::ResultValues{}))> row_of(
    Connection& connection, std::string command, Read read) {
  const QueryResult answer = co_await connection.query(command);
  if (answer.rows.size() != 1) {
    throw protocol::ProtocolError(command, "the answer is not one row");
  }
  std::vector<std::optional<protocol::ByteView>> values(answer.rows[0].begin(),
                                                        answer.rows[0].end());
  co_return read(values);
}

}  // namespace

asio::awaitable<protocol::SystemIdentity> identify_system(Connection& connection) {
  return row_of(connection, protocol::identify_system(), protocol::read_system_identity);
}

asio::awaitable<std::string> show(Connection& connection, std::string_view parameter) {
  return row_of(connection, protocol::show(parameter), protocol::read_shown_value);
}

asio::awaitable<protocol::TimelineHistoryFile> timeline_history(Connection& connection,
                                                                std::uint32_t timeline) {
  return row_of(connection, protocol::timeline_history(timeline),
                protocol::read_timeline_history_file);
}

asio::awaitable<protocol::CreatedSlot> create_replication_slot(
    Connection& connection, const protocol::CreateLogicalSlot& options) {
  return row_of(connection, protocol::create_replication_slot(options, connection.server_version()),
                protocol::read_created_slot);
}

asio::awaitable<protocol::CreatedSlot> create_replication_slot(
    Connection& connection, const protocol::CreatePhysicalSlot& options) {
  return row_of(connection, protocol::create_replication_slot(options, connection.server_version()),
                protocol::read_created_slot);
}

asio::awaitable<void> alter_replication_slot(Connection& connection,
                                             const protocol::AlterSlot& options) {
  const std::string command =
      protocol::alter_replication_slot(options, connection.server_version());
  co_await connection.query(command);
}

asio::awaitable<std::optional<protocol::PhysicalSlot>> read_replication_slot(
    Connection& connection, std::string_view slot) {
  return row_of(connection, protocol::read_replication_slot(slot, connection.server_version()),
                protocol::read_physical_slot);
}

asio::awaitable<void> drop_replication_slot(Connection& connection, std::string_view slot,
                                            bool wait) {
  const std::string command = protocol::drop_replication_slot(slot, wait);
  co_await connection.query(command);
}

}  // namespace pgcourier::replication
