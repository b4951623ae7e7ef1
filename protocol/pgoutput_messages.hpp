// The messages of the pgoutput plugin, §55.9, in the manual's words.
//
// Every view and span points into the payload given to PgoutputDecoder::decode(), or into the
// decoder, and is valid until the next call. Copy what must live longer.
//
// `xid` of Relation, Type, Insert, Update, Delete, Truncate and Message: between Stream Start and
// Stream Stop the transaction or subtransaction that did it, else 0, and Begin has told it.
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
  std::uint32_t xid = 0;
  std::uint32_t relation_oid = 0;
  ByteView schema;  // empty on the wire means pg_catalog; given here as sent
  ByteView table;
  ReplicaIdentity replica_identity = ReplicaIdentity::default_;
  std::span<const RelationColumn> columns;
};

struct TypeMessage {
  static constexpr std::string_view name = "Type";
  std::uint32_t xid = 0;
  std::uint32_t type_oid = 0;
  ByteView schema;
  ByteView type_name;
};

struct Insert {
  static constexpr std::string_view name = "Insert";
  std::uint32_t xid = 0;
  std::uint32_t relation_oid = 0;
  Row new_row;
};

struct Update {
  static constexpr std::string_view name = "Update";
  std::uint32_t xid = 0;
  std::uint32_t relation_oid = 0;
  Row old_row;                       // empty when the replica identity did not change
  bool old_row_is_key_only = false;  // 'K' rather than 'O'
  Row new_row;
};

struct Delete {
  static constexpr std::string_view name = "Delete";
  std::uint32_t xid = 0;
  std::uint32_t relation_oid = 0;
  Row old_row;
  bool old_row_is_key_only = false;
};

struct Truncate {
  static constexpr std::string_view name = "Truncate";
  std::uint32_t xid = 0;
  std::span<const std::uint32_t> relation_oids;
  bool cascade = false;
  bool restart_identity = false;
};

// pg_logical_emit_message(). `lsn` is where the message record ends.
struct LogicalMessage {
  static constexpr std::string_view name = "Message";
  std::uint32_t xid = 0;
  bool transactional = false;
  Lsn lsn;
  ByteView prefix;
  ByteView content;
};

// From here on what only comes when it was asked for: streaming (proto_version 2 on) tells a large
// transaction before its end, in pieces between which other transactions may come.

struct StreamStart {
  static constexpr std::string_view name = "Stream Start";
  std::uint32_t xid = 0;       // of the transaction, never of a subtransaction
  bool first_segment = false;  // its first piece
};

struct StreamStop {
  static constexpr std::string_view name = "Stream Stop";
};

struct StreamCommit {
  static constexpr std::string_view name = "Stream Commit";
  std::uint32_t xid = 0;
  Lsn commit_lsn;
  Lsn end_lsn;  // as of Commit
  PgTime commit_time;
};

// Discards what was streamed of a subtransaction, or of all when both are the same.
struct StreamAbort {
  static constexpr std::string_view name = "Stream Abort";
  std::uint32_t xid = 0;
  std::uint32_t subtransaction_xid = 0;
  Lsn abort_lsn;  // this and the time: only with streaming 'parallel', else 0
  PgTime abort_time;
};

// Two-phase commit (two_phase, proto_version 3 on). Begin Prepare … Prepare are to a transaction
// told at PREPARE TRANSACTION what Begin and Commit are to another.

struct BeginPrepare {
  static constexpr std::string_view name = "Begin Prepare";
  Lsn prepare_lsn;  // where the prepare record starts
  Lsn end_lsn;      // first byte after it
  PgTime prepare_time;
  std::uint32_t xid = 0;
  ByteView gid;
};

struct Prepare {
  static constexpr std::string_view name = "Prepare";
  Lsn prepare_lsn;
  Lsn end_lsn;  // the position to confirm
  PgTime prepare_time;
  std::uint32_t xid = 0;
  ByteView gid;
};

struct CommitPrepared {
  static constexpr std::string_view name = "Commit Prepared";
  Lsn commit_lsn;
  Lsn end_lsn;
  PgTime commit_time;
  std::uint32_t xid = 0;
  ByteView gid;
};

struct RollbackPrepared {
  static constexpr std::string_view name = "Rollback Prepared";
  Lsn prepare_end_lsn;  // equals Prepare::end_lsn
  Lsn rollback_end_lsn;
  PgTime prepare_time;
  PgTime rollback_time;
  std::uint32_t xid = 0;
  ByteView gid;
};

// Prepare of a transaction that was streamed.
struct StreamPrepare {
  static constexpr std::string_view name = "Stream Prepare";
  Lsn prepare_lsn;
  Lsn end_lsn;
  PgTime prepare_time;
  std::uint32_t xid = 0;
  ByteView gid;
};

using PgoutputMessage =
    std::variant<Begin, Commit, Origin, RelationMessage, TypeMessage, Insert, Update, Delete,
                 Truncate, LogicalMessage, StreamStart, StreamStop, StreamCommit, StreamAbort,
                 BeginPrepare, Prepare, CommitPrepared, RollbackPrepared, StreamPrepare>;

}  // namespace pgcourier::protocol
