// The messages of the pgoutput plugin, §55.9, in the manual's words.
//
// Every view and span points into the payload given to PgoutputDecoder::decode(), or into the
// decoder, and is valid until the next call. Copy what must live longer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "protocol/lsn.hpp"
#include "protocol/pg_time.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// How a column's value travels in TupleData.
enum class ValueKind : char {
  null = 'n',
  unchanged_toast = 'u',  // stored out of line and not touched by the update: not sent
  text = 't',
  binary = 'b',
};

struct ColumnValue {
  ValueKind kind = ValueKind::null;
  ByteView bytes;  // empty for null and unchanged_toast
};

// Column values in the order of the Relation message.
using Row = std::span<const ColumnValue>;

struct Begin {
  static constexpr std::string_view name = "Begin";
  Lsn final_lsn;  // where the transaction's commit record starts
  PgTime commit_time;
  std::uint32_t xid = 0;
};

struct Commit {
  static constexpr std::string_view name = "Commit";
  Lsn commit_lsn;  // equals Begin::final_lsn
  Lsn end_lsn;     // first byte after the commit record: the position to confirm
  PgTime commit_time;
};

struct Origin {
  static constexpr std::string_view name = "Origin";
  Lsn commit_lsn;  // on the origin server
  ByteView origin_name;
};

// As ALTER TABLE … REPLICA IDENTITY has it.
enum class ReplicaIdentity : char { default_ = 'd', nothing = 'n', full = 'f', index = 'i' };

struct RelationColumn {
  bool is_key = false;  // part of the replica identity; under FULL every column is
  ByteView name;
  std::uint32_t type_oid = 0;
  std::int32_t type_modifier = -1;
};

struct RelationMessage {
  static constexpr std::string_view name = "Relation";
  std::uint32_t relation_oid = 0;
  ByteView schema;  // empty on the wire means pg_catalog; given here as sent
  ByteView table;
  ReplicaIdentity replica_identity = ReplicaIdentity::default_;
  std::span<const RelationColumn> columns;
};

struct TypeMessage {
  static constexpr std::string_view name = "Type";
  std::uint32_t type_oid = 0;
  ByteView schema;
  ByteView type_name;
};

struct Insert {
  static constexpr std::string_view name = "Insert";
  std::uint32_t relation_oid = 0;
  Row new_row;
};

struct Update {
  static constexpr std::string_view name = "Update";
  std::uint32_t relation_oid = 0;
  Row old_row;                       // empty when the replica identity did not change
  bool old_row_is_key_only = false;  // 'K' rather than 'O'
  Row new_row;
};

struct Delete {
  static constexpr std::string_view name = "Delete";
  std::uint32_t relation_oid = 0;
  Row old_row;
  bool old_row_is_key_only = false;
};

struct Truncate {
  static constexpr std::string_view name = "Truncate";
  std::span<const std::uint32_t> relation_oids;
  bool cascade = false;
  bool restart_identity = false;
};

// pg_logical_emit_message(). `lsn` is where the message record ends.
struct LogicalMessage {
  static constexpr std::string_view name = "Message";
  bool transactional = false;
  Lsn lsn;
  ByteView prefix;
  ByteView content;
};

using PgoutputMessage = std::variant<Begin, Commit, Origin, RelationMessage, TypeMessage, Insert,
                                     Update, Delete, Truncate, LogicalMessage>;

}  // namespace pgcourier::protocol
