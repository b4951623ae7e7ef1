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

Begin read_begin(WireReader& in) {
  return {.final_lsn = in.lsn(), .commit_time = in.time(), .xid = in.u32()};
}

Commit read_commit(WireReader& in) {
  if (in.u8() != 0) in.fail("flags are not used yet and must be 0");
  return {.commit_lsn = in.lsn(), .end_lsn = in.lsn(), .commit_time = in.time()};
}

Origin read_origin(WireReader& in) {
  return {.commit_lsn = in.lsn(), .origin_name = in.c_string()};
}

TypeMessage read_type(WireReader& in) {
  return {.type_oid = in.u32(), .schema = in.c_string(), .type_name = in.c_string()};
}

LogicalMessage read_logical_message(WireReader& in) {
  constexpr std::uint8_t transactional = 1;
  const std::uint8_t flags = in.u8();
  if ((flags & ~transactional) != 0) in.fail("unknown flags");
  return {.transactional = (flags & transactional) != 0,
          .lsn = in.lsn(),
          .prefix = in.c_string(),
          .content = in.bytes(in.u32())};
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

[[noreturn]] void throw_unexpected(std::uint8_t type) {
  switch (type) {
    case 'S':
      throw ProtocolError("Stream Start", "streaming was not asked for", 0);
    case 'E':
      throw ProtocolError("Stream Stop", "streaming was not asked for", 0);
    case 'c':
      throw ProtocolError("Stream Commit", "streaming was not asked for", 0);
    case 'A':
      throw ProtocolError("Stream Abort", "streaming was not asked for", 0);
    case 'b':
      throw ProtocolError("Begin Prepare", "two_phase was not asked for", 0);
    case 'P':
      throw ProtocolError("Prepare", "two_phase was not asked for", 0);
    case 'K':
      throw ProtocolError("Commit Prepared", "two_phase was not asked for", 0);
    case 'r':
      throw ProtocolError("Rollback Prepared", "two_phase was not asked for", 0);
    case 'p':
      throw ProtocolError("Stream Prepare", "streaming and two_phase were not asked for", 0);
    default:
      throw ProtocolError("pgoutput", "unknown message type " + std::to_string(type), 0);
  }
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
    case 'B':
      return complete(in, read_begin(in));
    case 'C':
      return complete(in, read_commit(in));
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
      throw_unexpected(type);
  }
}

RelationMessage PgoutputDecoder::read_relation(WireReader& in) {
  constexpr std::uint8_t part_of_key = 1;
  constexpr std::size_t least_bytes_of_column = 10;
  RelationMessage relation;
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
  const std::uint32_t relation_oid = in.u32();
  if (in.u8() != 'N') in.fail("expected the new row ('N')");
  return {.relation_oid = relation_oid, .new_row = read_row(in, new_columns_)};
}

// The old row comes first, if at all: 'K' for the replica identity alone, 'O' for the whole row
// (REPLICA IDENTITY FULL).
Update PgoutputDecoder::read_update(WireReader& in) {
  Update update;
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
  const std::uint32_t relation_oid = in.u32();
  const auto part = in.u8();
  if (part != 'K' && part != 'O') in.fail("expected the old row ('K' or 'O')");
  return {.relation_oid = relation_oid,
          .old_row = read_row(in, old_columns_),
          .old_row_is_key_only = part == 'K'};
}

Truncate PgoutputDecoder::read_truncate(WireReader& in) {
  constexpr std::uint8_t cascade = 1;
  constexpr std::uint8_t restart_identity = 2;
  const std::size_t count = in.u32();
  const std::uint8_t options = in.u8();
  if ((options & ~(cascade | restart_identity)) != 0) in.fail("unknown options");
  if (count > in.remaining() / sizeof(std::uint32_t)) in.fail("the message ends too early");
  relation_oids_.clear();
  for (std::size_t left = count; left > 0 && in.ok(); --left) relation_oids_.push_back(in.u32());
  return {.relation_oids = relation_oids_,
          .cascade = (options & cascade) != 0,
          .restart_identity = (options & restart_identity) != 0};
}

}  // namespace pgcourier::protocol
