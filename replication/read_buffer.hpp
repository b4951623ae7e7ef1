// Received bytes in one contiguous block: [ consumed | unread | free ].
#pragma once

#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>

#include "protocol/wire_reader.hpp"

namespace pgcourier::replication {

// Unread bytes move to the front only in make_room(), never between, so views into them live until
// then. They are moved when the free part behind them is too small; the block grows when that does
// not suffice, and falls back to its usual size as soon as what is unread fits into it again.
class ReadBuffer {
 public:
  explicit ReadBuffer(std::size_t usual_bytes)
      : usual_(usual_bytes), capacity_(usual_bytes), block_(allocate(usual_bytes)) {}

  protocol::ByteView unread() const { return {block_.get() + begin_, end_ - begin_}; }

  void consume(std::size_t bytes) {
    assert(bytes <= end_ - begin_);
    begin_ += bytes;
  }

  // Makes the block hold a message of `message_bytes` at unread()'s front, and room for a useful
  // read behind what is there. Ends the life of all views.
  void make_room(std::size_t message_bytes) {
    const std::size_t kept = end_ - begin_;
    const std::size_t wanted = message_bytes > usual_ ? message_bytes : usual_;
    if (kept == 0) begin_ = end_ = 0;
    if (wanted > capacity_ || (capacity_ > usual_ && wanted == usual_ && kept <= usual_ / 2)) {
      auto block = allocate(wanted);
      std::memcpy(block.get(), block_.get() + begin_, kept);
      block_ = std::move(block);
      capacity_ = wanted;
      begin_ = 0;
      end_ = kept;
    } else if (begin_ > 0 &&
               (capacity_ - end_ < usual_ / 2 || begin_ + message_bytes > capacity_)) {
      std::memmove(block_.get(), block_.get() + begin_, kept);
      begin_ = 0;
      end_ = kept;
    }
  }

  char* free_begin() { return block_.get() + end_; }
  std::size_t free_bytes() const { return capacity_ - end_; }
  void received(std::size_t bytes) {
    assert(bytes <= free_bytes());
    end_ += bytes;
  }

  std::size_t capacity() const { return capacity_; }

 private:
  // Not zeroed: a gigabyte would be touched before a byte of it has come.
  static std::unique_ptr<char[]> allocate(std::size_t bytes) {
    return std::unique_ptr<char[]>(new char[bytes]);
  }

  std::size_t usual_;
  std::size_t capacity_;
  std::unique_ptr<char[]> block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pgcourier::replication
