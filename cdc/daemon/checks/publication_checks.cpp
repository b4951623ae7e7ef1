#include "cdc/daemon/checks/publication_checks.hpp"

#include <algorithm>

#include "cdc/table_filter.hpp"
#include "protocol/replication_commands.hpp"
#include "replication/catalog.hpp"

namespace pgcourier::cdc::daemon {

namespace {

constexpr const char* publication_check = "publication";
constexpr const char* identity_check = "replica_identity";
constexpr const char* tables_check = "tables";

// Their changes are not in the WAL, or not this server's. Temporary tables are as well, but die
// with their session.
constexpr const char* never_published = R"(
  SELECT n.nspname, c.relname, CASE c.relkind WHEN 'f' THEN 'foreign' ELSE 'unlogged' END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE (c.relkind = 'f' OR (c.relkind IN ('r', 'p') AND c.relpersistence = 'u'))
     AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
   ORDER BY 1, 2)";

bool has_identity(const replication::PublishedTable& table) {
  switch (table.replica_identity) {
    case 'f':
      return true;
    case 'd':
      return table.has_primary_key;
    case 'i':
      return !table.identity_index_missing;
    default:
      return false;
  }
}

void check_operations(const replication::PublicationInfo& publication, Findings& findings) {
  std::string left_out;
  const auto add = [&left_out](bool published, const char* operation) {
    if (!published) left_out += (left_out.empty() ? "" : ", ") + std::string(operation);
  };
  add(publication.inserts, "insert");
  add(publication.updates, "update");
  add(publication.deletes, "delete");
  add(publication.truncates, "truncate");
  if (left_out.empty()) return;
  findings.warning(publication_check, publication.name + " leaves out: " + left_out,
                   "if those changes are wanted: ALTER PUBLICATION " +
                       protocol::quote_identifier(publication.name) +
                       " SET (publish = 'insert, update, delete, truncate')");
}

void check_identities(const std::vector<replication::PublishedTable>& tables, Findings& findings) {
  std::size_t without = 0;
  for (const auto& table : tables) {
    if (has_identity(table)) continue;
    ++without;
    findings.warning(identity_check,
                     table.schema + "." + table.table +
                         " has no replica identity: its updates and deletes fail on the publisher",
                     "give it a primary key, or ALTER TABLE " +
                         protocol::quote_identifier(table.schema) + "." +
                         protocol::quote_identifier(table.table) + " REPLICA IDENTITY FULL");
  }
  if (without == 0 && !tables.empty()) findings.ok(identity_check, "every table has one");
}

// A pattern that lets no published table through is a mistake, or early.
void check_patterns(const config::Source& source,
                    const std::vector<replication::PublishedTable>& tables, Findings& findings) {
  for (const auto& pattern : source.tables) {
    const TableFilter filter({pattern});
    const bool matches = std::any_of(tables.begin(), tables.end(), [&](const auto& table) {
      return filter.passes(table.schema, table.table);
    });
    if (matches) continue;
    findings.warning(tables_check,
                     "source.tables: " + pattern + " matches no table of the publication",
                     "correct the pattern, or add the table to the publication");
  }
}

boost::asio::awaitable<void> check_never_published(replication::Connection& sql,
                                                   const TableFilter& filter, Findings& findings) {
  const auto tables = co_await sql.query(never_published);
  for (const auto& row : tables.rows) {
    const std::string schema = row.at(0).value_or("");
    const std::string table = row.at(1).value_or("");
    if (!filter.passes(schema, table)) continue;
    findings.warning(tables_check,
                     schema + "." + table + " is " + row.at(2).value_or("") +
                         ": the server never publishes its changes",
                     "expect no events of it");
  }
}

// Before source.create_publication does its work.
boost::asio::awaitable<void> check_may_create(replication::Connection& sql,
                                              const config::Source& source, Findings& findings) {
  const auto answer = co_await sql.query(
      "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), rolsuper"
      " FROM pg_catalog.pg_roles WHERE rolname = current_user");
  const bool create = !answer.rows.empty() && answer.rows[0].at(0) == "t";
  const bool superuser = !answer.rows.empty() && answer.rows[0].at(1) == "t";
  const std::string publication = "the publication " + source.publication;
  if (!create) {
    findings.error(publication_check, exit_not_permitted,
                   publication + " can't be created: the role may not CREATE in this database",
                   "GRANT CREATE ON DATABASE …, or create it as its owner");
  } else if (source.tables.empty() && !superuser) {
    findings.error(publication_check, exit_not_permitted,
                   publication + " can't be created for all tables: that takes a superuser",
                   "list source.tables, or create it as a superuser");
  } else {
    findings.ok(publication_check, source.publication + " does not exist; run will create it");
  }
}

}  // namespace

StopError missing_publication(const config::Source& source, const std::string& database,
                              bool bookmark_exists) {
  return {bookmark_exists ? exit_slot : exit_settings,
          "the publication " + source.publication + " does not exist in database " + database +
              ": CREATE PUBLICATION " + protocol::quote_identifier(source.publication) +
              " FOR ALL TABLES (or for some), or set source.create_publication: true"};
}

StopError publication_was_missing(const config::Source& source, bool bookmark_exists) {
  return {
      bookmark_exists ? exit_slot : exit_settings,
      "the publication " + source.publication +
          " did not exist when some of what the replication slot " + source.slot +
          " still holds was changed: that can't be delivered. Advance the slot past it"
          " (pg_replication_slot_advance) and start again, with --accept-gap if you are told so"};
}

boost::asio::awaitable<TableNames> check_publication(replication::Connection& sql,
                                                     const config::Source& source,
                                                     const std::string& database,
                                                     bool bookmark_exists, Findings& findings) {
  const TableFilter filter(source.tables);
  auto publication = co_await replication::find_publication_with_tables(sql, source.publication);
  if (!publication) {
    if (source.create_publication && !bookmark_exists) {
      co_await check_may_create(sql, source, findings);
    } else {
      const auto refusal = missing_publication(source, database, bookmark_exists);
      findings.error(publication_check, refusal.exit_code(), refusal.what(), {});
    }
    co_return TableNames{};
  }
  auto& tables = publication->tables;
  check_patterns(source, tables, findings);
  std::erase_if(tables,
                [&](const auto& table) { return !filter.passes(table.schema, table.table); });
  if (tables.empty()) {
    findings.warning(publication_check,
                     source.publication + " has no table that would give events yet",
                     "add tables to the publication, or look at source.tables");
  } else {
    findings.ok(publication_check,
                source.publication + " with " + std::to_string(tables.size()) + " tables");
  }
  const auto& info = publication->info;
  check_operations(info, findings);
  if (info.updates || info.deletes) check_identities(tables, findings);
  if (info.all_tables || !source.tables.empty()) {
    co_await check_never_published(sql, filter, findings);
  }
  TableNames names;
  for (const auto& table : tables) names.emplace_back(table.schema, table.table);
  co_return names;
}

}  // namespace pgcourier::cdc::daemon
