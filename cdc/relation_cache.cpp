#include "cdc/relation_cache.hpp"

#include <algorithm>

namespace pgcourier::cdc {

using protocol::ReplicaIdentity;

namespace {

// Under FULL the Relation flags every column and under NOTHING none: the key is the catalog's to
// say.
bool hides_the_key(ReplicaIdentity identity) {
  return identity == ReplicaIdentity::full || identity == ReplicaIdentity::nothing;
}

bool same_shape(const Relation& a, const Relation& b) {
  const auto same_column = [](const Column& x, const Column& y) {
    return x.name == y.name && x.type_oid == y.type_oid && x.type_modifier == y.type_modifier &&
           x.in_replica_identity == y.in_replica_identity;
  };
  return a.schema == b.schema && a.table == b.table && a.replica_identity == b.replica_identity &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    same_column);
}

std::vector<std::uint16_t> flagged_columns(const Relation& relation) {
  std::vector<std::uint16_t> key;
  for (std::size_t i = 0; i < relation.columns.size(); ++i) {
    if (relation.columns[i].in_replica_identity) key.push_back(static_cast<std::uint16_t>(i));
  }
  return key;
}

// Empty unless every column of the primary key is published.
std::vector<std::uint16_t> named_columns(const Relation& relation,
                                         const std::vector<std::string>& names) {
  std::vector<std::uint16_t> key;
  for (const auto& name : names) {
    const auto column = std::find_if(relation.columns.begin(), relation.columns.end(),
                                     [&](const Column& c) { return c.name == name; });
    if (column == relation.columns.end()) return {};
    key.push_back(static_cast<std::uint16_t>(column - relation.columns.begin()));
  }
  return key;
}

}  // namespace

const CatalogQuestion* RelationCache::receive(const protocol::RelationMessage& message) {
  pending_ = Relation{};
  pending_.oid = message.relation_oid;
  pending_.schema = message.schema.empty() ? "pg_catalog" : std::string(message.schema);
  pending_.table = message.table;
  pending_.replica_identity = message.replica_identity;
  for (const auto& column : message.columns) {
    pending_.columns.push_back(
        {std::string(column.name), column.type_oid, column.type_modifier, nullptr, column.is_key});
  }

  const bool ask_for_key = hides_the_key(pending_.replica_identity);
  const auto known = current_.find(pending_.oid);
  // A Relation comes again after any change, of the primary key too, which it can't show here.
  if (known != current_.end() && same_shape(*known->second, pending_) && !ask_for_key) {
    return nullptr;
  }

  question_ = {pending_.oid, pending_.schema, pending_.table, ask_for_key, {}};
  for (const auto& column : pending_.columns) {
    if (!types_.find(column.type_oid)) question_.type_oids.push_back(column.type_oid);
  }
  return &question_;
}

const Relation* RelationCache::add(const CatalogAnswer& answer) {
  static const ColumnType text_type;

  types_.add(answer.types);
  for (auto& column : pending_.columns) {
    const auto* type = types_.find(column.type_oid);
    column.type = type ? type : &text_type;  // dropped since: its text is still the truth
  }
  pending_.key = question_.primary_key ? named_columns(pending_, answer.primary_key)
                                       : flagged_columns(pending_);
  pending_.filtered_out = !filter_.passes(pending_.schema, pending_.table);

  const auto known = current_.find(pending_.oid);
  if (known != current_.end() && same_shape(*known->second, pending_) &&
      known->second->key == pending_.key) {
    return nullptr;
  }
  pending_.version = static_cast<std::uint32_t>(relations_.size());
  relations_.push_back(std::move(pending_));
  current_[relations_.back().oid] = &relations_.back();
  return &relations_.back();
}

void RelationCache::unknown(std::uint32_t oid) {
  throw protocol::ProtocolError(
      "pgoutput", "a change of relation " + std::to_string(oid) + " came before its description");
}

}  // namespace pgcourier::cdc
