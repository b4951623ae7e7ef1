// The replication commands that are answered with a row or nothing, §55.4, as calls. Streaming:
// wal_stream.hpp, base_backup.hpp.
//
// The connection is a walsender (Purpose::replication or physical_replication). Besides what
// Connection::query() throws: std::invalid_argument for what the server's version has no words for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/replication_commands.hpp"
#include "protocol/replication_results.hpp"
#include "replication/connection.hpp"

namespace pgcourier::replication {

asio::awaitable<protocol::SystemIdentity> identify_system(Connection& connection);
asio::awaitable<std::string> show(Connection& connection, std::string_view parameter);
asio::awaitable<protocol::TimelineHistoryFile> timeline_history(Connection& connection,
                                                                std::uint32_t timeline);

asio::awaitable<protocol::CreatedSlot> create_replication_slot(
    Connection& connection, const protocol::CreateLogicalSlot& options);
asio::awaitable<protocol::CreatedSlot> create_replication_slot(
    Connection& connection, const protocol::CreatePhysicalSlot& options);
asio::awaitable<void> alter_replication_slot(Connection& connection,
                                             const protocol::AlterSlot& options);
// Empty: there is no such slot.
asio::awaitable<std::optional<protocol::PhysicalSlot>> read_replication_slot(Connection& connection,
                                                                             std::string_view slot);
asio::awaitable<void> drop_replication_slot(Connection& connection, std::string_view slot,
                                            bool wait);

}  // namespace pgcourier::replication
