#include "cdc/transaction_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cdc/held_bytes.hpp"
#include "cdc/relation.hpp"
#include "protocol/protocol_error.hpp"

namespace pgcourier::cdc {

using protocol::Lsn;

namespace {

// Small enough to be in memory beside everything else, large enough for the disk.
constexpr std::size_t extent_bytes = 256 * 1024;

// Before the payload of each record; never leaves this process.
struct Header {
  std::uint64_t lsn = 0;
  std::uint32_t size = 0;  // of the payload
  std::uint32_t xid = 0;
  std::uint32_t piece = 0;
  std::uint32_t unused = 0;
};

Header header_at(const std::string& records, std::size_t at) {
  Header header;
  std::memcpy(&header, records.data() + at, sizeof(header));
  return header;
}

void append_header(std::string& records, const Header& header) {
  char bytes[sizeof(header)];
  std::memcpy(bytes, &header, sizeof(header));
  records.append(bytes, sizeof(bytes));
}

bool is_message(char type) { return type == 'M'; }

}  // namespace

// The first record with a given id or a later one is where the highest id so far rises.
void StreamedTransaction::note_rise(std::uint32_t xid, std::size_t at) {
  if (rises_.empty() || xid_precedes(rises_.back().xid, xid)) {
    rises_.push_back({xid, at, last_is_message_});
  }
}

// Of what is the last extent now. What precedes it is not looked at: it may end with a message.
void StreamedTransaction::find_rises() {
  rises_.clear();
  const Extent& extent = extents_.back();
  last_is_message_ = extents_.size() > 1 && extents_[extents_.size() - 2].has_messages;
  for (std::size_t at = 0; at < extent.size;) {
    const Header header = header_at(extent.records, at);
    note_rise(header.xid, at);
    last_is_message_ = is_message(extent.records[at + sizeof(Header)]);
    at += sizeof(Header) + header.size;
  }
}

void StreamedTransaction::add(std::uint32_t xid, const StreamedMessage& message) {
  const std::size_t needed = sizeof(Header) + message.payload.size();
  if (extents_.empty() || extents_.back().spilled || extents_.back().size + needed > extent_bytes) {
    const std::uint32_t highest = extents_.empty() ? xid : extents_.back().highest_xid;
    extents_.emplace_back().highest_xid = highest;
    rises_.clear();
  }
  Extent& extent = extents_.back();
  if (xid_precedes(extent.highest_xid, xid)) extent.highest_xid = xid;
  note_rise(xid, extent.size);
  const std::size_t held = held_bytes(extent.records);
  if (extent.size + needed > held) {
    // Small at first: there may be many small transactions.
    extent.records.reserve(
        std::max(extent.size + needed, extent.size == 0 ? extent_bytes / 32 : extent_bytes));
  }
  append_header(extent.records, {.lsn = message.lsn.value,
                                 .size = static_cast<std::uint32_t>(message.payload.size()),
                                 .xid = xid,
                                 .piece = message.piece});
  extent.records.append(message.payload);
  extent.size = extent.records.size();
  last_is_message_ = is_message(message.payload.front());
  extent.has_messages = extent.has_messages || last_is_message_;
  memory_bytes_ += held_bytes(extent.records) - held;
}

bool StreamedTransaction::abort(std::uint32_t subtransaction_xid) {
  const auto stays = [&](std::uint32_t xid) { return xid_precedes(xid, subtransaction_xid); };
  const auto found = std::partition_point(extents_.begin(), extents_.end(),
                                          [&](const Extent& e) { return stays(e.highest_xid); });
  if (found == extents_.end()) return !last_is_message_;
  const bool was_last = found + 1 == extents_.end();
  for (auto later = found + 1; later != extents_.end(); ++later) {
    memory_bytes_ -= held_bytes(later->records);
  }
  extents_.erase(found + 1, extents_.end());
  Extent& extent = extents_.back();
  extent.highest_xid = subtransaction_xid - 1;
  if (extent.spilled) {
    if (!extent.cut_from || !stays(*extent.cut_from)) extent.cut_from = subtransaction_xid;
    file_end_ = extent.offset + extent.size;
    // Where the cut is will be seen when it is read: after any of these, or of those before.
    last_is_message_ =
        extent.has_messages || (extents_.size() > 1 && extents_[extents_.size() - 2].has_messages);
    return !last_is_message_;
  }
  if (!was_last) find_rises();
  const auto first = std::find_if(rises_.begin(), rises_.end(),
                                  [&](const Rise& rise) { return !stays(rise.xid); });
  if (first == rises_.end()) return !last_is_message_;
  extent.records.resize(first->at);
  extent.size = first->at;
  last_is_message_ = first->after_message;
  rises_.erase(first, rises_.end());
  return !last_is_message_;
}

void StreamedTransaction::spill(SpillStore& store) {
  if (!file_) file_ = store.make_file();
  for (Extent& extent : extents_) {
    if (extent.size == 0) free_records(extent);
    if (extent.spilled || extent.size == 0) continue;
    extent.checksum = file_->write(file_end_, extent.records);
    extent.offset = file_end_;
    file_end_ += extent.size;
    extent.spilled = true;
    free_records(extent);
  }
}

void StreamedTransaction::free_records(Extent& extent) {
  memory_bytes_ -= held_bytes(extent.records);
  std::string().swap(extent.records);
}

// Away with what was read to its end, or to where it was cut.
void StreamedTransaction::settle() {
  const auto at_end = [this](const Extent& extent) {
    if (read_at_ == extent.size) return true;
    return !extent.spilled && extent.cut_from &&
           !xid_precedes(header_at(extent.records, read_at_).xid, *extent.cut_from);
  };
  while (read_extent_ < extents_.size() && at_end(extents_[read_extent_])) {
    free_records(extents_[read_extent_++]);
    read_at_ = 0;
  }
}

bool StreamedTransaction::at_spilled_extent() {
  settle();
  return read_extent_ < extents_.size() && extents_[read_extent_].spilled;
}

void StreamedTransaction::load_extent() {
  Extent& extent = extents_[read_extent_];
  extent.records.resize(extent.size);
  memory_bytes_ += held_bytes(extent.records);
  file_->read(extent.offset, extent.records, extent.checksum);
  extent.spilled = false;
}

bool StreamedTransaction::next(StreamedMessage& message) {
  settle();
  if (read_extent_ == extents_.size()) return false;
  const Extent& extent = extents_[read_extent_];
  const Header header = header_at(extent.records, read_at_);
  read_at_ += sizeof(Header);
  message = {header.piece, Lsn{header.lsn},
             protocol::ByteView(extent.records).substr(read_at_, header.size)};
  read_at_ += header.size;
  return true;
}

void TransactionBuffer::start_piece(std::uint32_t xid, bool first) {
  const auto [found, fresh] = transactions_.try_emplace(xid);
  if (fresh != first) {
    throw protocol::ProtocolError("Stream Start", first
                                                      ? "the transaction has a first piece already"
                                                      : "the transaction's first piece is missing");
  }
  open_ = &found->second;
  if (fresh) bookkeeping_bytes_ += open_->bookkeeping_bytes();
  ++pieces_;
}

void TransactionBuffer::add(std::uint32_t xid, Lsn lsn, protocol::ByteView payload) {
  const std::size_t before = open_->memory_bytes();
  const std::size_t kept_before = open_->bookkeeping_bytes();
  open_->add(xid, {pieces_, lsn, payload});
  memory_bytes_ += open_->memory_bytes() - before;
  bookkeeping_bytes_ += open_->bookkeeping_bytes() - kept_before;
}

bool TransactionBuffer::abort(std::uint32_t xid, std::uint32_t subtransaction_xid) {
  const auto found = transactions_.find(xid);
  if (found == transactions_.end()) return true;
  forget(found->second);
  if (xid == subtransaction_xid) {
    transactions_.erase(found);
    return true;
  }
  const bool known = found->second.abort(subtransaction_xid);
  memory_bytes_ += found->second.memory_bytes();
  bookkeeping_bytes_ += found->second.bookkeeping_bytes();
  return known;
}

StreamedTransaction TransactionBuffer::take(std::uint32_t xid) {
  const auto found = transactions_.find(xid);
  if (found == transactions_.end()) {
    throw protocol::ProtocolError("Stream Commit", "the transaction was never streamed");
  }
  StreamedTransaction taken = std::move(found->second);
  transactions_.erase(found);
  forget(taken);
  return taken;
}

void TransactionBuffer::forget(const StreamedTransaction& transaction) {
  memory_bytes_ -= transaction.memory_bytes();
  bookkeeping_bytes_ -= transaction.bookkeeping_bytes();
}

void TransactionBuffer::spill() {
  while (memory_bytes_ > limit_bytes_ / 2) {
    const auto largest = std::max_element(
        transactions_.begin(), transactions_.end(), [](const auto& a, const auto& b) {
          return a.second.memory_bytes() < b.second.memory_bytes();
        });
    if (largest == transactions_.end() || largest->second.memory_bytes() == 0) return;
    StreamedTransaction& transaction = largest->second;
    const std::size_t before = transaction.memory_bytes();
    try {
      transaction.spill(*store_);
    } catch (const SpillError&) {
      memory_bytes_ -= before - transaction.memory_bytes();
      throw;
    }
    memory_bytes_ -= before - transaction.memory_bytes();
  }
}

std::uint64_t TransactionBuffer::spilled_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [xid, transaction] : transactions_) bytes += transaction.spilled_bytes();
  return bytes;
}

}  // namespace pgcourier::cdc
