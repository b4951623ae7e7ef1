#include "cdc/relation_cache.hpp"

#include <algorithm>

#include "cdc/held_bytes.hpp"

namespace pgcourier::cdc {

using protocol::Lsn;
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

bool same_types(const Relation& a, const Relation& b) {
  return a.composites == b.composites &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& x, const Column& y) { return x.type == y.type; });
}

std::size_t memory_of(const Relation& relation) {
  std::size_t bytes = sizeof(Relation) + held_bytes(relation.schema) + held_bytes(relation.table) +
                      relation.columns.capacity() * sizeof(Column) +
                      relation.key.capacity() * sizeof(std::uint16_t) +
                      relation.composites.capacity() * sizeof(CompositeState);
  for (const auto& column : relation.columns) bytes += held_bytes(column.name);
  for (const auto& composite : relation.composites) bytes += held_bytes(composite.attributes);
  return bytes;
}

std::uint32_t last_altered_by(const std::vector<CompositeState>& composites) {
  std::uint32_t last = 0;
  for (const auto& composite : composites) {
    if (composite.altered_by == 0) continue;
    if (last == 0 || !xid_precedes(composite.altered_by, last)) {
      last = composite.altered_by;
    }
  }
  return last;
}

}  // namespace

const CatalogQuestion* RelationCache::receive(const protocol::RelationMessage& message, Lsn lsn) {
  asked_at_ = lsn;
  pending_ = Relation{};
  pending_.oid = message.relation_oid;
  pending_.schema = message.schema.empty() ? "pg_catalog" : std::string(message.schema);
  pending_.table = message.table;
  pending_.replica_identity = message.replica_identity;
  for (const auto& column : message.columns) {
    pending_.columns.push_back(
        {std::string(column.name), column.type_oid, column.type_modifier, nullptr, column.is_key});
  }

  // A Relation comes again after any change, of the primary key and of types too, which it can't
  // show here.
  auto* before = known(pending_.oid);
  const auto* question = ask_about_pending();
  if (before && same_shape(*before->relation, pending_) && !question->primary_key &&
      question->type_oids.empty()) {
    before->received = arrival();
    return nullptr;
  }
  return question;
}

RelationCache::Known* RelationCache::known(std::uint32_t oid) {
  if (replays_) return known_in_replay(oid);
  const auto found = current_.find(oid);
  return found == current_.end() ? nullptr : &found->second;
}

RelationCache::Known* RelationCache::known_in_replay(std::uint32_t oid) {
  if (const auto found = replayed_.find(oid); found != replayed_.end()) return &found->second;
  const auto current = current_.find(oid);
  if (current == current_.end()) return nullptr;
  const Known* then = &current->second;
  const auto& former = former_[oid];
  for (auto at = former.rbegin(); then->since > arrival() && at != former.rend(); ++at) then = &*at;
  if (then->since > arrival()) return nullptr;
  return &replayed_.emplace(oid, *then).first->second;
}

void RelationCache::end_replay() {
  for (auto& [oid, own] : replayed_) {
    auto& current = current_[oid];
    if (own.received <= current.received) continue;
    // Each transaction describes its tables anew, mostly as they were.
    if (current.relation && current.relation != own.relation) keep_former(oid, current);
    current = own;
  }
  replayed_.clear();
  replays_ = false;
}

const CatalogQuestion* RelationCache::check(const Relation& relation, Lsn lsn) {
  const Known& as_known = *known(relation.oid);
  if (lsn <= as_known.described_to) return nullptr;
  asked_at_ = lsn;
  if (as_known.altered) {
    pending_ = relation;
    return ask_about_pending();
  }
  question_ = {relation.oid, relation.schema, relation.table, false, {}, {}};
  for (const auto& composite : relation.composites) {
    question_.composites.push_back(composite.type_oid);
  }
  return &question_;
}

const CatalogQuestion* RelationCache::ask_about_pending() {
  question_ = {pending_.oid,
               pending_.schema,
               pending_.table,
               hides_the_key(pending_.replica_identity),
               {},
               {}};
  for (const auto& column : pending_.columns) {
    if (!built_in_type(column.type_oid)) question_.type_oids.push_back(column.type_oid);
  }
  return &question_;
}

const Relation* RelationCache::add(const CatalogAnswer& answer) {
  static const ColumnType text_type;

  if (!question_.composites.empty()) {
    look_for_alterations(answer);
    return nullptr;
  }
  types_.add(answer.types);
  for (auto& column : pending_.columns) {
    const auto* type = types_.find(column.type_oid);
    column.type = type ? type : &text_type;  // dropped since: its text is still the truth
  }
  pending_.key = question_.primary_key ? named_columns(pending_, answer.primary_key)
                                       : flagged_columns(pending_);
  pending_.composites = answer.composites;
  pending_.composites_altered_by = last_altered_by(answer.composites);
  pending_.filtered_out = !filter_.passes(pending_.schema, pending_.table);

  auto& now = replays_ ? replayed_[pending_.oid] : current_[pending_.oid];
  const Known before = now;
  now.described_to = std::max(now.described_to, asked_at_);
  now.wal_position = answer.wal_position;
  now.altered = false;
  now.received = arrival();
  if (now.relation && same_shape(*now.relation, pending_) && same_types(*now.relation, pending_) &&
      now.relation->key == pending_.key) {
    return nullptr;
  }
  if (before.relation && !replays_) keep_former(pending_.oid, before);
  pending_.version = static_cast<std::uint32_t>(relations_.size());
  memory_bytes_ += memory_of(pending_) + sizeof(Known);
  relations_.push_back(std::move(pending_));
  now.relation = &relations_.back();
  now.since = now.received;
  return &relations_.back();
}

void RelationCache::keep_former(std::uint32_t oid, const Known& known) {
  former_[oid].push_back(known);
  memory_bytes_ += sizeof(Known);
}

void RelationCache::look_for_alterations(const CatalogAnswer& answer) {
  Known& now = *known(question_.relation_oid);
  now.altered = answer.composites != now.relation->composites;
  if (now.altered) return;
  now.described_to = std::max({now.described_to, asked_at_, now.wal_position});
  now.wal_position = answer.wal_position;
}

void RelationCache::unknown(std::uint32_t oid) {
  throw protocol::ProtocolError(
      "pgoutput", "a change of relation " + std::to_string(oid) + " came before its description");
}

}  // namespace pgcourier::cdc
