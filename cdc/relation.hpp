// A table as its Relation message describes it, with what only the catalog knows added.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cdc/column_type.hpp"
#include "protocol/pgoutput_messages.hpp"

namespace pgcourier::cdc {

// Transaction ids run in a circle: is `a` the older one?
constexpr bool xid_precedes(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

// How far a composite type was altered, as the catalog tells it.
struct CompositeState {
  std::uint32_t type_oid = 0;
  std::string attributes;        // equal texts: nothing was altered in between
  std::uint32_t altered_by = 0;  // the last transaction that did; 0: none, or a billion ago
  bool operator==(const CompositeState&) const = default;
};

struct Column {
  std::string name;
  std::uint32_t type_oid = 0;
  std::int32_t type_modifier = -1;
  const ColumnType* type = nullptr;
  bool in_replica_identity = false;  // the Relation's flag; every column under FULL
};

// One shape of one table. Immutable, owned by the RelationCache, valid for the whole session: a
// table altered mid-stream gets a new Relation with a new version.
struct Relation {
  std::uint32_t oid = 0;
  // Counts the relations of this session from 0 without gaps, so that encoders and sinks can keep
  // what they derive from a Relation in a vector.
  std::uint32_t version = 0;
  std::string schema;
  std::string table;
  protocol::ReplicaIdentity replica_identity = protocol::ReplicaIdentity::default_;
  std::vector<Column> columns;
  // The event's key, as indices into `columns` (delivery.md 16): the replica identity index's, else
  // the primary key's; empty without one.
  std::vector<std::uint16_t> key;
  // The composite types in its columns, at any depth. A row of a transaction that is not younger
  // than `composites_altered_by` may have been written under another description.
  std::vector<CompositeState> composites;
  std::uint32_t composites_altered_by = 0;
  bool filtered_out = false;  // by `source.tables`: its changes count, but no event is made
};

}  // namespace pgcourier::cdc
