// An encoded event, as the sinks get it.
#pragma once

#include <cstdint>
#include <string_view>

#include "cdc/relation.hpp"
#include "protocol/lsn.hpp"
#include "protocol/pg_time.hpp"

namespace pgcourier::cdc {

// Which partition of a partitioned sink a record belongs to (delivery.md 16). Files, stdout and
// null ignore it.
enum class Routing : std::uint8_t {
  by_key,           // records with one key stay in order
  by_table,         // no key: by schema.table
  every_partition,  // truncate
  logical_message,  // no table at all: by prefix
  outcome,          // of a prepared transaction: by its gid
};

// The views are valid until Sink::write() returns.
struct Record {
  const Relation* relation = nullptr;  // null for logical_message and outcome
  Routing routing = Routing::by_table;
  std::string_view key;      // the encoded key; empty unless routing is by_key; the prefix of a
                             // message, the gid of an outcome
  std::string_view value;    // without a line end
  protocol::Lsn commit_lsn;  // of a non-transactional message: its own
  protocol::PgTime commit_time;
  bool has_commit_time = false;  // false for a non-transactional message
};

// A change whose values have no encoding (EncodingError): all that is known of it. The views are
// valid until Sink::write_unencodable() returns.
struct UnencodableEvent {
  std::string_view problem;  // names table, column, reason; never the value
  const Relation* relation = nullptr;
  std::string_view message;  // the server's, as it came (§55.9)
  protocol::Lsn lsn;         // of the change
  protocol::Lsn commit_lsn;  // with `seq` it identifies the event
  std::uint64_t seq = 0;
};

// One change as one record; a change of key, for sinks that partition by key, as two: the removal
// under the old key, then the insertion under the new one.
struct EncodedEvent {
  Record record;
  bool key_changed = false;
  Record removal;    // meaningful if key_changed
  Record insertion;  // meaningful if key_changed
};

}  // namespace pgcourier::cdc
