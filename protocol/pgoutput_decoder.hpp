// pgoutput's payloads (§55.9) into typed messages.
#pragma once

#include <cstdint>
#include <vector>

#include "protocol/pgoutput_messages.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// Keeps the vectors that the messages' spans point into, so that the steady state allocates
// nothing. One a stream.
class PgoutputDecoder {
 public:
  // Decodes the payload of one XLogData. The result is valid until the next call and as long as
  // `payload` is. Throws ProtocolError for anything §55.9 does not allow without streaming and
  // two-phase, which are not asked for.
  PgoutputMessage decode(ByteView payload);

 private:
  RelationMessage read_relation(WireReader& in);
  Insert read_insert(WireReader& in);
  Update read_update(WireReader& in);
  Delete read_delete(WireReader& in);
  Truncate read_truncate(WireReader& in);

  std::vector<ColumnValue> old_columns_;
  std::vector<ColumnValue> new_columns_;
  std::vector<RelationColumn> relation_columns_;
  std::vector<std::uint32_t> relation_oids_;
};

}  // namespace pgcourier::protocol
