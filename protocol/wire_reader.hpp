// Reads the data types of §55.6 from the body of one message.
#pragma once

#include <boost/endian/conversion.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/lsn.hpp"
#include "protocol/pg_time.hpp"
#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {

// Borrowed bytes, not necessarily text.
using ByteView = std::string_view;

// A cursor over one message. The first read that cannot be satisfied marks the whole message as
// bad; every read after it gives zero or nothing. So a decoder reads its fields in order, without
// checks in between, and calls finish() once. Lengths are read unsigned: a negative one is simply
// too long. Where -1 means NULL the decoder looks first.
class WireReader {
 public:
  explicit WireReader(ByteView message) noexcept : rest_(message), size_(message.size()) {}

  std::uint8_t u8() noexcept { return integer<std::uint8_t>(); }
  std::uint16_t u16() noexcept { return integer<std::uint16_t>(); }
  std::uint32_t u32() noexcept { return integer<std::uint32_t>(); }
  std::uint64_t u64() noexcept { return integer<std::uint64_t>(); }
  std::int32_t i32() noexcept { return static_cast<std::int32_t>(u32()); }
  Lsn lsn() noexcept { return Lsn{u64()}; }
  PgTime time() noexcept { return PgTime{static_cast<std::int64_t>(u64())}; }

  // Byte_n_: the next `count` bytes.
  ByteView bytes(std::size_t count) noexcept {
    if (count > rest_.size()) {
      fail("the message ends too early");
      return {};
    }
    const ByteView taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  // String: the bytes before the next zero byte, which is skipped.
  ByteView c_string() noexcept {
    const ByteView text = bytes(rest_.find('\0'));  // npos is too long for bytes(), so it fails
    bytes(1);
    return text;
  }

  // All that is left.
  ByteView rest() noexcept { return bytes(rest_.size()); }

  bool empty() const noexcept { return rest_.empty(); }

  // Bounds what a count in the message may make anybody reserve.
  std::size_t remaining() const noexcept { return rest_.size(); }

  // For what only the decoder can see, such as an unknown tag. `reason` must outlive the reader.
  void fail(std::string_view reason) noexcept {
    if (ok()) {
      reason_ = reason;
      failed_at_ = size_ - rest_.size();
    }
    rest_ = {};
  }

  bool ok() const noexcept { return reason_.empty(); }

  // Throws ProtocolError unless the message was read exactly to its end.
  void finish(std::string_view message_name) const {
    if (!ok()) throw ProtocolError(message_name, reason_, failed_at_);
    if (!rest_.empty()) throw ProtocolError(message_name, "left-over bytes", size_ - rest_.size());
  }

 private:
  template <std::unsigned_integral T>
  T integer() noexcept {
    const ByteView raw = bytes(sizeof(T));
    if (raw.empty()) return 0;
    return boost::endian::endian_load<T, sizeof(T), boost::endian::order::big>(
        reinterpret_cast<const unsigned char*>(raw.data()));
  }

  ByteView rest_;
  std::size_t size_;
  std::string_view reason_;
  std::size_t failed_at_ = 0;
};

}  // namespace pgcourier::protocol
