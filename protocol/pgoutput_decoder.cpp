#include "protocol/pgoutput_decoder.hpp"

#include <algorithm>
#include <string>

namespace pgcourier::protocol {
namespace {

// Once every field is read, the message must be used up.
template <typename Message>
Message complete(const WireReader& in, Message message) {
  in.finish(Message::name);
  return message;
}

void read_no_flags(WireReader& in) {
  if (in.u8() != 0) in.fail("flags are not used yet and must be 0");
}

Begin read_begin(WireReader& in) {
  return {.final_lsn = in.lsn(), .commit_time = in.time(), .xid = in.u32()};
}

Commit read_commit(WireReader& in) {
  read_no_flags(in);
  return {.commit_lsn = in.lsn(), .end_lsn = in.lsn(), .commit_time = in.time()};
}

Origin read_origin(WireReader& in) {
  return {.commit_lsn = in.lsn(), .origin_name = in.c_string()};
}

std::uint32_t read_xid(WireReader& in) {
  const std::uint32_t xid = in.u32();
  if (xid == 0) in.fail("0 is no transaction id");
  return xid;
}

StreamStart read_stream_start(WireReader& in) {
  const std::uint32_t xid = read_xid(in);
  const std::uint8_t first_segment = in.u8();
  if (first_segment > 1) in.fail("the first segment is told by 0 or 1");
  return {.xid = xid, .first_segment = first_segment == 1};
}

StreamCommit read_stream_commit(WireReader& in) {
  const std::uint32_t xid = read_xid(in);
  read_no_flags(in);
  return {.xid = xid, .commit_lsn = in.lsn(), .end_lsn = in.lsn(), .commit_time = in.time()};
}

BeginPrepare read_begin_prepare(WireReader& in) {
  return {.prepare_lsn = in.lsn(),
          .end_lsn = in.lsn(),
          .prepare_time = in.time(),
          .xid = in.u32(),
          .gid = in.c_string()};
}

// Of Prepare and Stream Prepare.
template <typename Message>
Message read_prepare(WireReader& in) {
  read_no_flags(in);
  return {.prepare_lsn = in.lsn(),
          .end_lsn = in.lsn(),
          .prepare_time = in.time(),
          .xid = in.u32(),
          .gid = in.c_string()};
}

CommitPrepared read_commit_prepared(WireReader& in) {
  read_no_flags(in);
  return {.commit_lsn = in.lsn(),
          .end_lsn = in.lsn(),
          .commit_time = in.time(),
          .xid = in.u32(),
          .gid = in.c_string()};
}

RollbackPrepared read_rollback_prepared(WireReader& in) {
  read_no_flags(in);
  return {.prepare_end_lsn = in.lsn(),
          .rollback_end_lsn = in.lsn(),
          .prepare_time = in.time(),
          .rollback_time = in.time(),
          .xid = in.u32(),
          .gid = in.c_string()};
}

// TupleData. `columns` only ever grows; the row is its front.
Row read_row(WireReader& in, std::vector<ColumnValue>& columns) {
  const std::size_t count = in.u16();
  if (count > in.remaining()) {  // a value takes a byte at least
    in.fail("more columns than the message has bytes");
    return {};
  }
  if (columns.size() < count) columns.resize(count);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const auto kind = static_cast<ValueKind>(in.u8());
    switch (kind) {
      case ValueKind::text:
      case ValueKind::binary:
        columns[i] = {kind, in.bytes(in.u32())};
        break;
      case ValueKind::null:
      case ValueKind::unchanged_toast:
        columns[i] = {kind, {}};
        break;
      default:
        in.fail("unknown kind of column value");
    }
  }
  return {columns.data(), count};
}

ReplicaIdentity read_replica_identity(WireReader& in) {
  const auto identity = static_cast<ReplicaIdentity>(in.u8());
  switch (identity) {
    case ReplicaIdentity::default_:
    case ReplicaIdentity::nothing:
    case ReplicaIdentity::full:
    case ReplicaIdentity::index:
      return identity;
  }
  in.fail("unknown replica identity");
  return ReplicaIdentity::default_;
}

}  // namespace

PgoutputMessage PgoutputDecoder::decode(ByteView payload) {
  WireReader in(payload);
  if (in.empty()) throw ProtocolError("pgoutput", "an empty message", 0);
  const std::uint8_t type = in.u8();
  switch (type) {
    case 'I':
      return complete(in, read_insert(in));
    case 'U':
      return complete(in, read_update(in));
    case 'D':
      return complete(in, read_delete(in));
    case 'O':
      return complete(in, read_origin(in));
    case 'R':
      return complete(in, read_relation(in));
    case 'Y':
      return complete(in, read_type(in));
    case 'T':
      return complete(in, read_truncate(in));
    case 'M':
      return complete(in, read_logical_message(in));
    default:
      return decode_bound(type, in);
  }
}

// What is not inside a transaction but opens or ends one, or a piece of one.
PgoutputMessage PgoutputDecoder::decode_bound(std::uint8_t type, WireReader& in) {
  if (const auto reason = objection(type); !reason.empty()) in.fail(reason);
  switch (type) {
    case 'B':
      return complete(in, read_begin(in));
    case 'C':
      return complete(in, read_commit(in));
    case 'S': {
      const auto start = complete(in, read_stream_start(in));
      in_piece_ = true;
      return start;
    }
    case 'E': {
      const auto stop = complete(in, StreamStop{});
      in_piece_ = false;
      return stop;
    }
    case 'c':
      return complete(in, read_stream_commit(in));
    case 'A':
      return complete(in, read_stream_abort(in));
    case 'b':
      return complete(in, read_begin_prepare(in));
    case 'P':
      return complete(in, read_prepare<Prepare>(in));
    case 'K':
      return complete(in, read_commit_prepared(in));
    case 'r':
      return complete(in, read_rollback_prepared(in));
    case 'p':
      return complete(in, read_prepare<StreamPrepare>(in));
    default:
      throw ProtocolError("pgoutput", "unknown message type " + std::to_string(type), 0);
  }
}

// Why the message must not come here; empty if it may.
std::string_view PgoutputDecoder::objection(std::uint8_t type) const {
  const auto is_one_of = [type](std::string_view types) {
    return types.find(static_cast<char>(type)) != std::string_view::npos;
  };
  if (options_.streaming == Streaming::off && is_one_of("SEcAp")) {
    return "streaming was not asked for";
  }
  if (!options_.two_phase && is_one_of("bPKrp")) return "two_phase was not asked for";
  if (in_piece_ && type != 'E') return "it came inside a piece of a streamed transaction";
  if (!in_piece_ && type == 'E') return "it came outside a piece of a streamed transaction";
  return {};
}

std::uint32_t PgoutputDecoder::read_streamed_xid(WireReader& in) const {
  return in_piece_ ? read_xid(in) : 0;
}

StreamAbort PgoutputDecoder::read_stream_abort(WireReader& in) const {
  StreamAbort abort{.xid = read_xid(in), .subtransaction_xid = read_xid(in)};
  if (options_.streaming == Streaming::parallel) {
    abort.abort_lsn = in.lsn();
    abort.abort_time = in.time();
  }
  return abort;
}

TypeMessage PgoutputDecoder::read_type(WireReader& in) const {
  return {.xid = read_streamed_xid(in),
          .type_oid = in.u32(),
          .schema = in.c_string(),
          .type_name = in.c_string()};
}

LogicalMessage PgoutputDecoder::read_logical_message(WireReader& in) const {
  constexpr std::uint8_t transactional = 1;
  const std::uint32_t xid = read_streamed_xid(in);
  const std::uint8_t flags = in.u8();
  if ((flags & ~transactional) != 0) in.fail("unknown flags");
  return {.xid = xid,
          .transactional = (flags & transactional) != 0,
          .lsn = in.lsn(),
          .prefix = in.c_string(),
          .content = in.bytes(in.u32())};
}

RelationMessage PgoutputDecoder::read_relation(WireReader& in) {
  constexpr std::uint8_t part_of_key = 1;
  constexpr std::size_t least_bytes_of_column = 10;
  RelationMessage relation;
  relation.xid = read_streamed_xid(in);
  relation.relation_oid = in.u32();
  relation.schema = in.c_string();
  relation.table = in.c_string();
  relation.replica_identity = read_replica_identity(in);
  const std::size_t count = in.u16();
  relation_columns_.clear();
  relation_columns_.reserve(std::min(count, in.remaining() / least_bytes_of_column));
  for (std::size_t left = count; left > 0 && in.ok(); --left) {
    const std::uint8_t flags = in.u8();
    if ((flags & ~part_of_key) != 0) in.fail("unknown flags of a column");
    relation_columns_.push_back({.is_key = flags == part_of_key,
                                 .name = in.c_string(),
                                 .type_oid = in.u32(),
                                 .type_modifier = in.i32()});
  }
  relation.columns = relation_columns_;
  return relation;
}

Insert PgoutputDecoder::read_insert(WireReader& in) {
  const std::uint32_t xid = read_streamed_xid(in);
  const std::uint32_t relation_oid = in.u32();
  if (in.u8() != 'N') in.fail("expected the new row ('N')");
  return {.xid = xid, .relation_oid = relation_oid, .new_row = read_row(in, new_columns_)};
}

// The old row comes first, if at all: 'K' for the replica identity alone, 'O' for the whole row
// (REPLICA IDENTITY FULL).
Update PgoutputDecoder::read_update(WireReader& in) {
  Update update;
  update.xid = read_streamed_xid(in);
  update.relation_oid = in.u32();
  auto part = in.u8();
  if (part == 'K' || part == 'O') {
    update.old_row_is_key_only = part == 'K';
    update.old_row = read_row(in, old_columns_);
    part = in.u8();
  }
  if (part != 'N') in.fail("expected the new row ('N')");
  update.new_row = read_row(in, new_columns_);
  return update;
}

Delete PgoutputDecoder::read_delete(WireReader& in) {
  const std::uint32_t xid = read_streamed_xid(in);
  const std::uint32_t relation_oid = in.u32();
  const auto part = in.u8();
  if (part != 'K' && part != 'O') in.fail("expected the old row ('K' or 'O')");
  return {.xid = xid,
          .relation_oid = relation_oid,
          .old_row = read_row(in, old_columns_),
          .old_row_is_key_only = part == 'K'};
}

Truncate PgoutputDecoder::read_truncate(WireReader& in) {
  constexpr std::uint8_t cascade = 1;
  constexpr std::uint8_t restart_identity = 2;
  const std::uint32_t xid = read_streamed_xid(in);
  const std::size_t count = in.u32();
  const std::uint8_t options = in.u8();
  if ((options & ~(cascade | restart_identity)) != 0) in.fail("unknown options");
  if (count > in.remaining() / sizeof(std::uint32_t)) in.fail("the message ends too early");
  relation_oids_.clear();
  for (std::size_t left = count; left > 0 && in.ok(); --left) relation_oids_.push_back(in.u32());
  return {.xid = xid,
          .relation_oids = relation_oids_,
          .cascade = (options & cascade) != 0,
          .restart_identity = (options & restart_identity) != 0};
}

}  // namespace pgcourier::protocol
