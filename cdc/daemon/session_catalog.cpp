// What the stream does not tell of its tables and types, asked on the second connection.
#include <utility>

#include "cdc/daemon/log.hpp"
#include "cdc/daemon/session.hpp"
#include "protocol/server_error.hpp"
#include "replication/catalog.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;

namespace {

asio::awaitable<void> look_at_composites(replication::Connection& sql,
                                         const std::vector<std::uint32_t>& oids,
                                         CatalogAnswer& answer) {
  const auto infos = co_await replication::look_at_composites(sql, oids);
  answer.composites.clear();
  for (const auto& type : infos.types) {
    answer.composites.push_back({type.type_oid, type.attributes, type.altered_by});
  }
  answer.wal_position = infos.wal_position;
}

// Until the composites look the same before and after their description: it is of that state.
asio::awaitable<void> describe_types(replication::Connection& sql,
                                     const std::vector<std::uint32_t>& oids,
                                     CatalogAnswer& answer) {
  std::vector<CompositeState> before;
  do {
    const auto described = co_await replication::describe_types(sql, oids);
    before = std::move(answer.composites);
    answer.types.clear();
    std::vector<std::uint32_t> composites;
    for (const auto& type : described) {
      if (type.kind == 'c') composites.push_back(type.oid);
      auto& added = answer.types.emplace_back();
      added.oid = type.oid;
      added.name = type.name;
      added.kind = type.kind;
      added.base_oid = type.base_oid;
      added.element_oid = type.element_oid;
      added.delimiter = type.delimiter;
      for (const auto& attribute : type.attributes) {
        added.attributes.push_back({attribute.name, attribute.type_oid});
      }
    }
    answer.composites.clear();
    if (!composites.empty()) co_await look_at_composites(sql, composites, answer);
  } while (answer.composites != before);
}

// The session was ended, the server restarts, or has no connection left (classes 57 and 53).
bool passes_by_itself(const protocol::ServerError& error) {
  return error.sqlstate().starts_with("57") || error.sqlstate().starts_with("53");
}

}  // namespace

// Waits for the second connection if it is down.
asio::awaitable<CatalogAnswer> Session::ask_catalog(const CatalogQuestion& question) {
  CatalogAnswer answer;
  if (!question.primary_key && question.type_oids.empty() && question.composites.empty()) {
    co_return answer;
  }
  std::string lost;
  for (;;) {
    try {
      const auto sql = co_await started_.sql->lease();
      if (question.primary_key) {
        answer.primary_key = co_await replication::primary_key(*sql, question.relation_oid);
      }
      if (!question.composites.empty()) {
        co_await look_at_composites(*sql, question.composites, answer);
      } else {
        co_await describe_types(*sql, question.type_oids, answer);
      }
      co_return answer;
    } catch (const protocol::ServerError& refused) {
      if (!passes_by_itself(refused)) throw;
      lost = refused.what();
    } catch (const replication::ConnectionError& error) {
      lost = error.what();
    }
    log::warn("waiting for the second connection", {{"error", lost}});
    answer = {};
    co_await pause(context_.io, 1s);
  }
}

}  // namespace pgcourier::cdc::daemon
