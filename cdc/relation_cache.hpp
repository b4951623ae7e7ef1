// The Relation and Type messages of one session, made into Relations (edge cases 25–32).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cdc/relation.hpp"
#include "cdc/table_filter.hpp"
#include "protocol/lsn.hpp"
#include "protocol/pgoutput_messages.hpp"

namespace pgcourier::cdc {

// What only the catalog can say about a Relation just received.
struct CatalogQuestion {
  std::uint32_t relation_oid = 0;
  std::string schema;
  std::string table;
  bool primary_key = false;              // wanted: replica identity FULL or NOTHING hides it
  std::vector<std::uint32_t> type_oids;  // not built in
  // Only: were these altered? Then nothing above is wanted.
  std::vector<std::uint32_t> composites;
};

struct CatalogAnswer {
  std::vector<std::string> primary_key;  // column names in key order; empty without one
  std::vector<TypeDescription> types;    // and all that they refer to
  // Of the composites asked for, or of those among `types`, true of them; by OID.
  std::vector<CompositeState> composites = {};
  protocol::Lsn wal_position = {};  // where the server wrote when it told `composites`
};

// Ids are only good within a session, and any Relation may come again at any time, with other
// content too: the cache lives as long as the session, its Relations as long as the cache.
//
// The stream does not tell when a composite type is altered. So a row with composites needs a look
// at the catalog that is younger than the row: one look serves all rows up to where the server
// wrote at that time.
class RelationCache {
 public:
  explicit RelationCache(TableFilter filter) : filter_(std::move(filter)) {}

  // Takes a Relation message. nullptr: it says what is known already. Else a question to answer
  // with add(); its fields may ask for nothing.
  const CatalogQuestion* receive(const protocol::RelationMessage& message, protocol::Lsn lsn);

  // REQUIRES: `relation` is current. nullptr: its types are known as they are at `lsn`, the LSN of
  // a row. Else a question to answer with add(); ask again then.
  const CatalogQuestion* check(const Relation& relation, protocol::Lsn lsn);

  // Completes the Relation of the last question. nullptr: after all, nothing is new.
  const Relation* add(const CatalogAnswer& answer);

  // The current shape. Throws ProtocolError if the server never described `oid`.
  const Relation& find(std::uint32_t oid) const {
    const auto found = current_.find(oid);
    if (found == current_.end()) unknown(oid);
    return *found->second.relation;
  }

  // Every Relation of the session, in the order of their versions.
  const std::deque<Relation>& all() const { return relations_; }

 private:
  struct Known {
    const Relation* relation = nullptr;
    protocol::Lsn described_to;  // nothing committed before is missing in its types
    protocol::Lsn wal_position;  // of the last answer: the next one can't miss what is before it
    bool altered = false;
  };

  [[noreturn]] static void unknown(std::uint32_t oid);
  const CatalogQuestion* ask_about_pending();
  void look_for_alterations(const CatalogAnswer& answer);

  TableFilter filter_;
  TypeRegistry types_;
  std::deque<Relation> relations_;  // a deque never moves its elements
  std::unordered_map<std::uint32_t, Known> current_;
  Relation pending_;
  protocol::Lsn asked_at_;  // the LSN of what made us ask
  CatalogQuestion question_;
};

}  // namespace pgcourier::cdc
