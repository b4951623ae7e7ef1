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
#include "protocol/pgoutput_messages.hpp"

namespace pgcourier::cdc {

// What only the catalog can say about a Relation just received.
struct CatalogQuestion {
  std::uint32_t relation_oid = 0;
  std::string schema;
  std::string table;
  bool primary_key = false;              // wanted: replica identity FULL or NOTHING hides it
  std::vector<std::uint32_t> type_oids;  // neither built in nor known
};

struct CatalogAnswer {
  std::vector<std::string> primary_key;  // column names in key order; empty without one
  std::vector<TypeDescription> types;    // and all that they refer to
};

// Ids are only good within a session, and any Relation may come again at any time, with other
// content too: the cache lives as long as the session, its Relations as long as the cache.
class RelationCache {
 public:
  explicit RelationCache(TableFilter filter) : filter_(std::move(filter)) {}

  // Takes a Relation message. nullptr: it says what is known already. Else a question to answer
  // with add(); its fields may ask for nothing.
  const CatalogQuestion* receive(const protocol::RelationMessage& message);

  // Completes the Relation of the last question. nullptr: after all, nothing is new.
  const Relation* add(const CatalogAnswer& answer);

  // The current shape. Throws ProtocolError if the server never described `oid`.
  const Relation& find(std::uint32_t oid) const {
    const auto found = current_.find(oid);
    if (found == current_.end()) unknown(oid);
    return *found->second;
  }

  // Every Relation of the session, in the order of their versions.
  const std::deque<Relation>& all() const { return relations_; }

 private:
  [[noreturn]] static void unknown(std::uint32_t oid);

  TableFilter filter_;
  TypeRegistry types_;
  std::deque<Relation> relations_;  // a deque never moves its elements
  std::unordered_map<std::uint32_t, const Relation*> current_;
  Relation pending_;
  CatalogQuestion question_;
};

}  // namespace pgcourier::cdc
