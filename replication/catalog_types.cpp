#include <map>
#include <set>
#include <utility>

#include "replication/catalog.hpp"
#include "replication/catalog_values.hpp"

namespace pgcourier::replication {
namespace {

// "{16,25}": digits need no quoting.
std::string array_literal(const std::set<std::uint32_t>& oids) {
  std::string text = "{";
  for (const auto oid : oids) {
    if (text.size() > 1) text += ',';
    text += std::to_string(oid);
  }
  return text + "}";
}

// An array type is one whose element knows it as its array; oidvector and the like have typelem
// too, but another text form. The delimiter that separates an array's elements is the element's
// own.
constexpr std::string_view type_query =
    "SELECT t.oid, t.typname, t.typtype, t.typbasetype, "
    "CASE WHEN e.typarray = t.oid THEN e.oid ELSE 0 END, coalesce(e.typdelim, ',') "
    "FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem "
    "WHERE t.oid = ANY ($1::oid[]) ORDER BY t.oid";

constexpr std::string_view attribute_query =
    "SELECT t.oid, a.attname, a.atttypid FROM pg_catalog.pg_type t "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid "
    "WHERE t.oid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped "
    "ORDER BY t.oid, a.attnum";

// Any change of an attribute is a new row of pg_attribute with an xmin of its own; a dropped one
// keeps its row. A type that was never altered has rows of the one transaction that made it.
constexpr std::string_view composite_query =
    "SELECT t.oid, a.attributes, CASE WHEN NOT a.any_dropped AND a.transactions = 1"
    " AND a.youngest::text IN (t.xmin::text, c.xmin::text) THEN '0' ELSE a.altered_by END,"
    " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_insert_lsn() END "
    "FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid,"
    " LATERAL (SELECT coalesce(string_agg(b.attnum || ':' || b.altered_by, ' ' ORDER BY b.attnum),"
    " '') AS attributes, coalesce(bool_or(b.attisdropped), false) AS any_dropped,"
    " count(DISTINCT b.xmin::text) AS transactions,"
    " (array_agg(b.xmin::text ORDER BY b.age))[1] AS youngest,"
    " coalesce((array_agg(b.altered_by ORDER BY b.age))[1], '0') AS altered_by"
    " FROM (SELECT attnum, attisdropped, xmin, age(xmin) AS age,"
    " CASE WHEN age(xmin) BETWEEN 0 AND 1000000000 THEN xmin::text ELSE '0' END AS altered_by"
    " FROM pg_catalog.pg_attribute WHERE attrelid = t.typrelid AND attnum > 0) b) a "
    "WHERE t.oid = ANY ($1::oid[]) ORDER BY t.oid";

asio::awaitable<std::vector<TypeInfo>> describe_once(Connection& connection,
                                                     const std::set<std::uint32_t>& oids) {
  const QueryParameters parameters{array_literal(oids)};
  const QueryResult types = co_await connection.query(type_query, parameters);
  std::vector<TypeInfo> found;
  std::map<std::uint32_t, std::size_t> places;
  for (const auto& row : types.rows) {
    TypeInfo& type = found.emplace_back();
    type.oid = integer_value<std::uint32_t>(row.at(0), "oid");
    type.name = text_value(row.at(1));
    type.kind = char_value(row.at(2), "typtype");
    type.base_oid = integer_value<std::uint32_t>(row.at(3), "typbasetype");
    type.element_oid = integer_value<std::uint32_t>(row.at(4), "typelem");
    type.delimiter = char_value(row.at(5), "typdelim");
    places.emplace(type.oid, found.size() - 1);
  }
  const QueryResult attributes = co_await connection.query(attribute_query, parameters);
  for (const auto& row : attributes.rows) {
    const auto place = places.find(integer_value<std::uint32_t>(row.at(0), "oid"));
    if (place == places.end()) continue;  // made between the two queries
    TypeAttribute attribute;
    attribute.name = text_value(row.at(1));
    attribute.type_oid = integer_value<std::uint32_t>(row.at(2), "atttypid");
    found[place->second].attributes.push_back(std::move(attribute));
  }
  co_return found;
}

}  // namespace

asio::awaitable<std::vector<TypeInfo>> describe_types(Connection& connection,
                                                      std::span<const std::uint32_t> oids) {
  std::vector<TypeInfo> described;
  std::set<std::uint32_t> asked;
  std::set<std::uint32_t> next(oids.begin(), oids.end());
  next.erase(0);
  // One round a level of nesting; what was asked for once is never asked again, so it ends.
  while (!next.empty()) {
    const std::vector<TypeInfo> level = co_await describe_once(connection, next);
    asked.merge(next);
    next.clear();
    for (const TypeInfo& type : level) {
      next.insert({type.base_oid, type.element_oid});
      for (const TypeAttribute& attribute : type.attributes) next.insert(attribute.type_oid);
      described.push_back(type);
    }
    next.erase(0);
    std::erase_if(next, [&asked](std::uint32_t oid) { return asked.contains(oid); });
  }
  co_return described;
}

asio::awaitable<CompositeInfos> look_at_composites(Connection& connection,
                                                   std::span<const std::uint32_t> oids) {
  const std::set<std::uint32_t> asked(oids.begin(), oids.end());
  const QueryParameters parameters{array_literal(asked)};
  const QueryResult result = co_await connection.query(composite_query, parameters);
  CompositeInfos infos;
  for (const auto& row : result.rows) {
    CompositeInfo& info = infos.types.emplace_back();
    info.type_oid = integer_value<std::uint32_t>(row.at(0), "oid");
    info.attributes = text_value(row.at(1));
    info.altered_by = integer_value<std::uint32_t>(row.at(2), "xmin");
    infos.wal_position = protocol::parse_lsn(text_value(row.at(3))).value_or(protocol::Lsn{});
  }
  co_return infos;
}

}  // namespace pgcourier::replication
