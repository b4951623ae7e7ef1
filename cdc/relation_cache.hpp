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
  const Relation& find(std::uint32_t oid) {
    if (replays_) return *replayed(oid).relation;
    const auto found = current_.find(oid);
    if (found == current_.end()) unknown(oid);
    return *found->second.relation;
  }

  // A streamed transaction's pieces came earlier than its commit, and the server described things
  // in them as they were then. From begin_replay() to end_replay() they are: what the transaction
  // itself brought, else what had been received when its piece came. At the end its Relations are
  // the session's, unless younger ones have come since (delivery.md 20).
  void begin_piece(std::uint32_t piece) { piece_ = piece; }  // it is received
  void begin_replay() { replays_ = true; }
  void replay_piece(std::uint32_t piece) { replayed_piece_ = piece; }
  void end_replay();

  // Every Relation of the session, in the order of their versions.
  const std::deque<Relation>& all() const { return relations_; }

  // What all that takes; it never falls.
  std::size_t memory_bytes() const { return memory_bytes_ + types_.memory_bytes(); }

 private:
  struct Known {
    const Relation* relation = nullptr;
    protocol::Lsn described_to;  // nothing committed before is missing in its types
    protocol::Lsn wal_position;  // of the last answer: the next one can't miss what is before it
    bool altered = false;
    // By arrival(): of its first Relation message of this shape, and of its last.
    std::uint64_t since = 0;
    std::uint64_t received = 0;
  };

  Known* known(std::uint32_t oid);
  Known* known_in_replay(std::uint32_t oid);
  Known& replayed(std::uint32_t oid) {
    auto* found = known_in_replay(oid);
    if (!found) unknown(oid);
    return *found;
  }
  // Orders what comes in pieces and what comes between them.
  std::uint64_t arrival() const {
    return replays_ ? 2 * std::uint64_t{replayed_piece_} : 2 * std::uint64_t{piece_} + 1;
  }
  [[noreturn]] static void unknown(std::uint32_t oid);
  const CatalogQuestion* ask_about_pending();
  void look_for_alterations(const CatalogAnswer& answer);
  void keep_former(std::uint32_t oid, const Known& known);

  TableFilter filter_;
  TypeRegistry types_;
  std::deque<Relation> relations_;  // a deque never moves its elements
  std::size_t memory_bytes_ = 0;
  std::unordered_map<std::uint32_t, Known> current_;
  std::unordered_map<std::uint32_t, std::vector<Known>> former_;  // shapes, oldest first
  std::uint32_t piece_ = 0;
  bool replays_ = false;
  std::uint32_t replayed_piece_ = 0;
  std::unordered_map<std::uint32_t, Known> replayed_;
  Relation pending_;
  protocol::Lsn asked_at_;  // the LSN of what made us ask
  CatalogQuestion question_;
};

}  // namespace pgcourier::cdc
