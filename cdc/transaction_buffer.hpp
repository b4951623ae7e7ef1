// Streamed transactions until they commit: the messages of their pieces as they came (delivery.md
// 20), in memory as far as that goes, else in a file each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cdc/spill_store.hpp"
#include "protocol/lsn.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::cdc {

// A message of a piece, kept: the payload of its XLogData.
struct StreamedMessage {
  std::uint32_t piece = 0;  // counts the pieces of the session
  protocol::Lsn lsn;        // XLogData's start
  protocol::ByteView payload;
};

// What is kept of one transaction, in extents of about 256 KiB. An abort cuts it off: whatever has
// the id of the aborted subtransaction or a later one is of that subtransaction, of one inside it,
// or of one around it that is aborted too, for while a subtransaction is open nothing around it
// writes. So all it takes to know is the highest id up to the end of each extent.
class StreamedTransaction {
 public:
  StreamedTransaction() = default;
  StreamedTransaction(StreamedTransaction&&) = default;
  StreamedTransaction& operator=(StreamedTransaction&&) = default;

  void add(std::uint32_t xid, const StreamedMessage& message);
  // False: what to keep can't be told. A logical decoding message comes under the id of the whole
  // transaction, whatever subtransaction it was in: one right before the cut may be of either side.
  bool abort(std::uint32_t subtransaction_xid);

  std::size_t memory_bytes() const { return memory_bytes_; }
  std::uint64_t spilled_bytes() const { return file_end_; }
  // Beside what was sent: what can't be spilled.
  std::size_t bookkeeping_bytes() const {
    return sizeof(*this) + extents_.capacity() * sizeof(Extent) + rises_.capacity() * sizeof(Rise);
  }

  // BLOCKING. Writes all that is in memory to the file. SpillError: the rest stays in memory.
  void spill(SpillStore& store);

  // Reading from the front, once all was added: false at the end. The message is valid until the
  // next call. REQUIRES: !at_spilled_extent().
  bool next(StreamedMessage& message);
  bool at_spilled_extent();
  // BLOCKING.
  void load_extent();

 private:
  struct Extent {
    std::string records;  // empty while they are in the file
    std::size_t size = 0;
    std::uint64_t offset = 0;  // in the file
    std::uint32_t checksum = 0;
    std::uint32_t highest_xid = 0;          // of it and all before it, or more
    std::optional<std::uint32_t> cut_from;  // aborted: all from the first such or higher id on
    bool spilled = false;
    bool has_messages = false;
  };
  // Where in the last extent an id comes that is higher than all before it there.
  struct Rise {
    std::uint32_t xid = 0;
    std::size_t at = 0;
    bool after_message = false;
  };

  void note_rise(std::uint32_t xid, std::size_t at);
  void find_rises();
  void free_records(Extent& extent);
  void settle();

  std::vector<Extent> extents_;
  std::vector<Rise> rises_;
  std::unique_ptr<SpillFile> file_;
  std::uint64_t file_end_ = 0;
  bool last_is_message_ = false;
  std::size_t memory_bytes_ = 0;
  std::size_t read_extent_ = 0;
  std::size_t read_at_ = 0;
};

// All open ones of a session. Used by one thread at a time.
class TransactionBuffer {
 public:
  TransactionBuffer(std::size_t limit_bytes, SpillStore& store)
      : limit_bytes_(limit_bytes), store_(&store) {}

  // Throws ProtocolError for a first piece of what is known, or a later one of what is not.
  void start_piece(std::uint32_t xid, bool first);
  void stop_piece() { open_ = nullptr; }
  bool in_piece() const { return open_ != nullptr; }
  // One message of the piece; `xid` of the subtransaction that did it.
  void add(std::uint32_t xid, protocol::Lsn lsn, protocol::ByteView payload);

  // Of a subtransaction; of all if both are the same. What nobody knows was empty. False as above.
  bool abort(std::uint32_t xid, std::uint32_t subtransaction_xid);

  // Gives it away to be read. Throws ProtocolError if it was never streamed.
  StreamedTransaction take(std::uint32_t xid);

  bool over_limit() const { return memory_bytes_ > limit_bytes_; }
  // BLOCKING. The largest ones go to disk until the rest is half of the limit.
  void spill();

  std::uint32_t pieces() const { return pieces_; }
  std::size_t transactions() const { return transactions_.size(); }
  std::size_t memory_bytes() const { return memory_bytes_; }
  std::size_t bookkeeping_bytes() const { return bookkeeping_bytes_; }
  std::uint64_t spilled_bytes() const;

 private:
  void forget(const StreamedTransaction& transaction);

  std::size_t limit_bytes_;
  SpillStore* store_;
  std::unordered_map<std::uint32_t, StreamedTransaction> transactions_;  // by id
  StreamedTransaction* open_ = nullptr;
  std::uint32_t pieces_ = 0;
  std::size_t memory_bytes_ = 0;
  std::size_t bookkeeping_bytes_ = 0;
};

}  // namespace pgcourier::cdc
