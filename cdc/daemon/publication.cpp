#include "cdc/daemon/publication.hpp"

#include <chrono>

#include "cdc/daemon/log.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "cdc/table_filter.hpp"
#include "protocol/replication_commands.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// What a publication may hold, partitions by their root.
constexpr const char* publishable_tables = R"(
  SELECT n.nspname, c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
     AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
   ORDER BY 1, 2)";

}  // namespace

boost::asio::awaitable<void> create_publication(replication::Connection& sql,
                                                const config::Source& source) {
  std::string command = "CREATE PUBLICATION " + protocol::quote_identifier(source.publication);
  if (source.tables.empty()) {
    command += " FOR ALL TABLES";
  } else {
    const TableFilter filter(source.tables);
    const auto tables = co_await sql.query(publishable_tables);
    std::string list;
    for (const auto& row : tables.rows) {
      if (!filter.passes(*row[0], *row[1])) continue;
      list += list.empty() ? " FOR TABLE " : ", ";
      list += protocol::quote_identifier(*row[0]) + '.' + protocol::quote_identifier(*row[1]);
    }
    if (list.empty()) {
      throw StopError(exit_settings,
                      "source.create_publication: no table matches source.tables yet");
    }
    command += list;
  }
  // It waits for locks as long as others hold them; giving up would leave it waiting on its own.
  const replication::AnswerLimit none(sql, std::chrono::milliseconds(0));
  co_await sql.query(command);
  log::info("publication created", {{"publication", source.publication}});
}

}  // namespace pgcourier::cdc::daemon
