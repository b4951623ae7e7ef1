// From a change to bytes. Implemented in sinks/encoding.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cdc/change_event.hpp"
#include "cdc/record.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::cdc {

// One event is held open until it is known whether it is the last of its transaction:
//   begin(header)  encode(event) finish()  encode(event) finish() …  encode(event) finish(end_lsn)
// encode() copies all it needs out of the event, so the read buffer may change before finish().
// A non-transactional message stands alone: encode(event) finish(), without begin(). Used from the
// io thread only; allocates nothing in the steady state.
class Encoder {
 public:
  virtual ~Encoder() = default;

  virtual void begin(const TransactionHeader& transaction) = 0;

  // REQUIRES: the event before was finished. Throws EncodingError (see encoding_error.hpp) for a
  // value that is not what its type allows: there is nothing to finish then.
  virtual void encode(const ChangeEvent& event) = 0;

  // `end_lsn` marks the last delivered event of a transaction. Valid until the next encode().
  virtual const EncodedEvent& finish(std::optional<protocol::Lsn> end_lsn) = 0;

  // "schema.table.column" of composites that were given as PostgreSQL's text since the last call,
  // each column once for each shape of its table.
  virtual std::vector<std::string> take_unfitting() = 0;
};

}  // namespace pgcourier::cdc
