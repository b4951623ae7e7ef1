// pgoutput's payloads (§55.9) into typed messages.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/pgoutput_messages.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// The option `streaming`: on from proto_version 2, parallel from 4.
enum class Streaming : std::uint8_t { off, on, parallel };

// What START_REPLICATION asked for, as far as it changes what may come (§55.5.1).
struct PgoutputOptions {
  Streaming streaming = Streaming::off;
  bool two_phase = false;  // proto_version 3 on, of the option or of the slot
};

// Keeps the vectors that the messages' spans point into, so that the steady state allocates
// nothing, and whether the stream stands inside a piece of a streamed transaction. One a stream.
class PgoutputDecoder {
 public:
  PgoutputDecoder() = default;
  explicit PgoutputDecoder(PgoutputOptions options) : options_(options) {}

  // Decodes the payload of one XLogData. The result is valid until the next call and as long as
  // `payload` is. Throws ProtocolError for anything §55.9 does not allow with these options, and
  // for a Stream Start inside a piece, a Stream Stop outside, or another transaction's bounds
  // inside; the order of the rest is the caller's to check.
  PgoutputMessage decode(ByteView payload);

  // What comes next was kept from pieces: their changes, without the bounds; until leave_pieces().
  void enter_pieces() { in_piece_ = true; }
  void leave_pieces() { in_piece_ = false; }

 private:
  PgoutputMessage decode_bound(std::uint8_t type, WireReader& in);
  std::string_view objection(std::uint8_t type) const;
  std::uint32_t read_streamed_xid(WireReader& in) const;
  StreamAbort read_stream_abort(WireReader& in) const;
  TypeMessage read_type(WireReader& in) const;
  LogicalMessage read_logical_message(WireReader& in) const;
  RelationMessage read_relation(WireReader& in);
  Insert read_insert(WireReader& in);
  Update read_update(WireReader& in);
  Delete read_delete(WireReader& in);
  Truncate read_truncate(WireReader& in);

  PgoutputOptions options_;
  bool in_piece_ = false;  // after Stream Start, before Stream Stop
  std::vector<ColumnValue> old_columns_;
  std::vector<ColumnValue> new_columns_;
  std::vector<RelationColumn> relation_columns_;
  std::vector<std::uint32_t> relation_oids_;
};

}  // namespace pgcourier::protocol
