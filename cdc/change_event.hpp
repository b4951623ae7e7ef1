// One change, typed, before it is encoded.
//
// Views and spans live as long as the read buffer: until Pipeline::consume() returns.
#pragma once

#include <cstdint>
#include <string_view>

#include "cdc/relation.hpp"
#include "protocol/lsn.hpp"
#include "protocol/pg_time.hpp"
#include "protocol/pgoutput_messages.hpp"

namespace pgcourier::cdc {

// The last three: of a prepared transaction (two_phase), after its changes or instead of them.
enum class Operation : std::uint8_t {
  insert,
  update,
  delete_,
  truncate,
  message,
  prepare,
  commit_prepared,
  rollback_prepared
};

constexpr bool is_outcome(Operation operation) { return operation >= Operation::prepare; }

// What the events of a transaction have in common.
struct TransactionHeader {
  protocol::Lsn commit_lsn;  // prepared: of its PREPARE; of an outcome: its own
  protocol::PgTime commit_time;
  std::uint32_t xid = 0;
  std::string_view origin;    // empty unless the server sent one
  std::string_view gid = {};  // empty unless it is prepared
};

struct ChangeEvent {
  Operation operation = Operation::insert;
  const Relation* relation = nullptr;  // null for message
  protocol::Lsn lsn;                   // of the change itself; neither unique nor rising
  // Counts the published changes of the transaction from 0, filtered ones included.
  std::uint64_t seq = 0;

  // insert: after. delete: before. update: after, and before if the server sent it. A row is in the
  // order of relation->columns and as long.
  protocol::Row before;
  bool before_is_key_only = false;  // only replica identity columns of `before` mean anything
  protocol::Row after;
  // An update whose `before` has another key than `after`; see EncodedEvent.
  bool key_changed = false;

  // The composites may be from before their types were altered, so their fields have no names.
  bool composites_are_text = false;

  // truncate
  bool cascade = false;
  bool restart_identity = false;

  // message. A non-transactional one stands outside any transaction: its commit LSN is `lsn`, and
  // it has neither seq nor xid nor commit time.
  bool transactional = true;
  std::string_view prefix;
  std::string_view content;
};

}  // namespace pgcourier::cdc
