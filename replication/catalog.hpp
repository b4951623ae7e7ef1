// What the second connection asks the server: plain SQL with typed answers. Every function may
// throw what Connection::query() throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/lsn.hpp"
#include "replication/connection.hpp"

namespace pgcourier::replication {

// pg_replication_slots, as far as it matters; members that a server version lacks are empty.
struct SlotInfo {
  std::string slot;
  std::string plugin;
  std::string slot_type;  // physical | logical
  std::string database;
  bool temporary = false;
  bool active = false;
  std::optional<std::int32_t> active_pid;
  std::optional<protocol::Lsn> restart_lsn;
  std::optional<protocol::Lsn> confirmed_flush_lsn;
  std::string wal_status;  // reserved | extended | unreserved | lost
  std::optional<std::int64_t> safe_wal_size_bytes;
  bool two_phase = false;
  std::string invalidation_reason;  // 17: wal_removed, rows_removed, …; 16: "conflicting"
  bool failover = false;            // 17
  bool synced = false;              // 17
};

asio::awaitable<std::vector<SlotInfo>> list_slots(Connection& connection);
asio::awaitable<std::optional<SlotInfo>> find_slot(Connection& connection, std::string_view slot);

// Who holds a slot, from pg_stat_activity; members are empty where we may not see them.
struct Holder {
  std::int32_t pid = 0;
  std::string application_name;
  std::string backend_type;
  std::string client;  // address, for messages
};
asio::awaitable<std::optional<Holder>> find_backend(Connection& connection, std::int32_t pid);

// Whose locks a backend waits for (pg_blocking_pids).
struct Blocker {
  std::int32_t pid = 0;  // 0: a prepared transaction
  std::string application_name;
  std::int64_t transaction_seconds = 0;  // since it began
};
asio::awaitable<std::vector<Blocker>> find_blockers(Connection& connection, std::int32_t pid);

struct PublicationInfo {
  std::string name;
  bool all_tables = false;
  bool via_partition_root = false;
  bool inserts = true, updates = true, deletes = true, truncates = true;
};
asio::awaitable<std::optional<PublicationInfo>> find_publication(Connection& connection,
                                                                 std::string_view publication);

struct PublishedTable {
  std::uint32_t oid = 0;
  std::string schema;
  std::string table;
  char replica_identity = 'd';  // relreplident
  bool has_primary_key = false;
  bool identity_index_missing = false;  // 'i' whose index was dropped
};
struct Publication {
  PublicationInfo info;
  std::vector<PublishedTable> tables;
};
// In one round trip (§55.2.4).
asio::awaitable<std::optional<Publication>> find_publication_with_tables(
    Connection& connection, std::string_view publication);

// Names of the primary key's columns in key order; empty without one.
asio::awaitable<std::vector<std::string>> primary_key(Connection& connection,
                                                      std::uint32_t relation_oid);

struct TypeAttribute {
  std::string name;
  std::uint32_t type_oid = 0;
};
struct TypeInfo {
  std::uint32_t oid = 0;
  std::string name;
  char kind = 'b';  // typtype
  std::uint32_t base_oid = 0;
  std::uint32_t element_oid = 0;  // only for true arrays
  char delimiter = ',';           // the element's, for arrays
  std::vector<TypeAttribute> attributes;
};
// The types with these OIDs and all that they are made of, recursively. Types that no longer exist
// are left out.
asio::awaitable<std::vector<TypeInfo>> describe_types(Connection& connection,
                                                      std::span<const std::uint32_t> oids);

// How far a composite type (also a table's row type) was altered.
struct CompositeInfo {
  std::uint32_t type_oid = 0;
  std::string attributes;        // equal texts: nothing was altered in between
  std::uint32_t altered_by = 0;  // the last transaction that did; 0: none, or a billion ago
};
struct CompositeInfos {
  std::vector<CompositeInfo> types;  // by OID; those that no longer exist are left out
  protocol::Lsn wal_position;        // where the server writes by now: after what `types` shows
};
asio::awaitable<CompositeInfos> look_at_composites(Connection& connection,
                                                   std::span<const std::uint32_t> oids);

}  // namespace pgcourier::replication
