#include "replication/catalog.hpp"

#include <utility>

#include "replication/catalog_values.hpp"

namespace pgcourier::replication {
namespace {

std::optional<protocol::Lsn> lsn_value(const std::optional<std::string>& value) {
  return value ? protocol::parse_lsn(*value) : std::nullopt;
}

// Columns that came with 16 and 17 are replaced by constants on older servers. two_phase is there
// since 14.
std::string slot_query(int server_version) {
  std::string sql =
      "SELECT slot_name, plugin, slot_type, database, temporary, active, active_pid, restart_lsn, "
      "confirmed_flush_lsn, wal_status, safe_wal_size, two_phase";
  if (server_version >= 170000) {
    sql += ", invalidation_reason, failover, synced";
  } else if (server_version >= 160000) {
    sql += ", CASE WHEN conflicting THEN 'conflicting' END, false, false";
  } else {
    sql += ", NULL, false, false";
  }
  return sql + " FROM pg_catalog.pg_replication_slots";
}

SlotInfo slot_from(const ResultRow& row) {
  SlotInfo slot;
  slot.slot = text_value(row.at(0));
  slot.plugin = text_value(row.at(1));
  slot.slot_type = text_value(row.at(2));
  slot.database = text_value(row.at(3));
  slot.temporary = bool_value(row.at(4));
  slot.active = bool_value(row.at(5));
  if (row.at(6)) slot.active_pid = integer_value<std::int32_t>(row[6], "active_pid");
  slot.restart_lsn = lsn_value(row.at(7));
  slot.confirmed_flush_lsn = lsn_value(row.at(8));
  slot.wal_status = text_value(row.at(9));
  if (row.at(10)) slot.safe_wal_size_bytes = integer_value<std::int64_t>(row[10], "safe_wal_size");
  slot.two_phase = bool_value(row.at(11));
  slot.invalidation_reason = text_value(row.at(12));
  slot.failover = bool_value(row.at(13));
  slot.synced = bool_value(row.at(14));
  return slot;
}

// pg_publication_tables opens each table from 16 on, and so waits for whoever holds one
// exclusively: an ALTER TABLE, a prepared transaction. This reads the catalog alone: what the
// publication names, and by pubviaroot what of it is not below another, or the leaves.
std::string published_tables_query(int server_version) {
  const bool has_schemas = server_version >= 150000;
  return std::string(
             "WITH RECURSIVE p AS "
             "(SELECT oid, puballtables, pubviaroot FROM pg_catalog.pg_publication WHERE pubname = "
             "$1), "
             "named AS (SELECT r.prrelid AS oid FROM pg_catalog.pg_publication_rel r "
             "JOIN p ON r.prpubid = p.oid "
             "UNION SELECT c.oid FROM pg_catalog.pg_class c, p "
             "WHERE p.puballtables AND c.relkind IN ('r', 'p') ") +
         (has_schemas ? "UNION SELECT c.oid FROM pg_catalog.pg_publication_namespace s "
                        "JOIN p ON s.pnpubid = p.oid "
                        "JOIN pg_catalog.pg_class c ON c.relnamespace = s.pnnspid "
                        "WHERE c.relkind IN ('r', 'p') "
                      : "") +
         "), below AS (SELECT i.inhrelid AS oid FROM named JOIN pg_catalog.pg_inherits i "
         "ON i.inhparent = named.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid "
         "WHERE c.relispartition "
         "UNION SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits i "
         "ON i.inhparent = below.oid), "
         "published AS (SELECT oid FROM named UNION SELECT oid FROM below) "
         "SELECT c.oid, n.nspname, c.relname, c.relreplident, "
         "EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), "
         "c.relreplident = 'i' AND NOT EXISTS "
         "(SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) "
         "FROM p, published JOIN pg_catalog.pg_class c USING (oid) "
         "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
         "WHERE pg_catalog.pg_relation_is_publishable(c.oid) AND CASE WHEN p.pubviaroot "
         "THEN NOT EXISTS (SELECT FROM below WHERE below.oid = c.oid) "
         "ELSE c.relkind = 'r' END ORDER BY 2, 3";
}

constexpr std::string_view publication_query =
    "SELECT pubname, puballtables, pubviaroot, pubinsert, pubupdate, pubdelete, pubtruncate "
    "FROM pg_catalog.pg_publication WHERE pubname = $1";

std::optional<PublicationInfo> publication_from(const QueryResult& result) {
  if (result.rows.empty()) return std::nullopt;
  const ResultRow& row = result.rows.front();
  PublicationInfo info;
  info.name = text_value(row.at(0));
  info.all_tables = bool_value(row.at(1));
  info.via_partition_root = bool_value(row.at(2));
  info.inserts = bool_value(row.at(3));
  info.updates = bool_value(row.at(4));
  info.deletes = bool_value(row.at(5));
  info.truncates = bool_value(row.at(6));
  return info;
}

std::vector<PublishedTable> tables_from(const QueryResult& result) {
  std::vector<PublishedTable> tables;
  for (const auto& row : result.rows) {
    PublishedTable& table = tables.emplace_back();
    table.oid = integer_value<std::uint32_t>(row.at(0), "oid");
    table.schema = text_value(row.at(1));
    table.table = text_value(row.at(2));
    table.replica_identity = char_value(row.at(3), "relreplident");
    table.has_primary_key = bool_value(row.at(4));
    table.identity_index_missing = bool_value(row.at(5));
  }
  return tables;
}

}  // namespace

asio::awaitable<std::vector<SlotInfo>> list_slots(Connection& connection) {
  const std::string sql = slot_query(connection.server_version()) + " ORDER BY slot_name";
  const QueryResult result = co_await connection.query(sql);
  std::vector<SlotInfo> slots;
  for (const auto& row : result.rows) slots.push_back(slot_from(row));
  co_return slots;
}

asio::awaitable<std::optional<SlotInfo>> find_slot(Connection& connection, std::string_view slot) {
  const std::string sql = slot_query(connection.server_version()) + " WHERE slot_name = $1";
  const QueryParameters parameters{std::string(slot)};
  const QueryResult result = co_await connection.query(sql, parameters);
  if (result.rows.empty()) co_return std::nullopt;
  co_return slot_from(result.rows.front());
}

asio::awaitable<std::optional<Holder>> find_backend(Connection& connection, std::int32_t pid) {
  const QueryParameters parameters{std::to_string(pid)};
  const QueryResult result = co_await connection.query(
      "SELECT pid, application_name, backend_type, "
      "coalesce(host(client_addr), CASE WHEN client_port = -1 THEN 'local' END) "
      "FROM pg_catalog.pg_stat_activity WHERE pid = $1::int4",
      parameters);
  if (result.rows.empty()) co_return std::nullopt;
  const ResultRow& row = result.rows.front();
  Holder holder;
  holder.pid = integer_value<std::int32_t>(row.at(0), "pid");
  holder.application_name = text_value(row.at(1));
  holder.backend_type = text_value(row.at(2));
  holder.client = text_value(row.at(3));
  co_return holder;
}

asio::awaitable<std::vector<Blocker>> find_blockers(Connection& connection, std::int32_t pid) {
  const QueryParameters parameters{std::to_string(pid)};
  const QueryResult result = co_await connection.query(
      "SELECT b.pid, a.application_name,"
      " coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::int8"
      " FROM unnest(pg_catalog.pg_blocking_pids($1::int4)) AS b (pid)"
      " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ORDER BY 1",
      parameters);
  std::vector<Blocker> blockers;
  for (const auto& row : result.rows) {
    blockers.push_back({.pid = integer_value<std::int32_t>(row.at(0), "pid"),
                        .application_name = text_value(row.at(1)),
                        .transaction_seconds = integer_value<std::int64_t>(row.at(2), "seconds")});
  }
  co_return blockers;
}

asio::awaitable<std::optional<PublicationInfo>> find_publication(Connection& connection,
                                                                 std::string_view publication) {
  const QueryParameters parameters{std::string(publication)};
  const QueryResult result = co_await connection.query(publication_query, parameters);
  co_return publication_from(result);
}

asio::awaitable<std::optional<Publication>> find_publication_with_tables(
    Connection& connection, std::string_view publication) {
  const QueryParameters parameters{std::string(publication)};
  const std::string tables_query = published_tables_query(connection.server_version());
  const std::vector<Statement> statements = {Statement{publication_query, parameters},
                                             Statement{tables_query, parameters}};
  const std::vector<QueryResult> results = co_await connection.query_each(statements);
  const auto info = publication_from(results.at(0));
  if (!info) co_return std::nullopt;
  co_return Publication{*info, tables_from(results.at(1))};
}

asio::awaitable<std::vector<std::string>> primary_key(Connection& connection,
                                                      std::uint32_t relation_oid) {
  const QueryParameters parameters{std::to_string(relation_oid)};
  const QueryResult result = co_await connection.query(
      "SELECT a.attname FROM pg_catalog.pg_index i "
      // The key's columns come before those that are only INCLUDEd.
      "CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place) "
      "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
      "WHERE i.indrelid = $1::oid AND i.indisprimary AND k.place <= i.indnkeyatts "
      "ORDER BY k.place",
      parameters);
  std::vector<std::string> columns;
  for (const auto& row : result.rows) columns.push_back(text_value(row.at(0)));
  co_return columns;
}

}  // namespace pgcourier::replication
