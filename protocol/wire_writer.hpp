// Writes the data types of §55.6 and frames messages, §55.1.1, into a string.
#pragma once

#include <boost/endian/conversion.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "protocol/lsn.hpp"
#include "protocol/pg_time.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// Appends to a string of the caller's, which must outlive it. begin_message() leaves room for the
// length, finish_message() fills it in; messages don't nest.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) noexcept : out_(out) {}

  void begin_message(char type) {
    out_.push_back(type);
    begin_untagged_message();
  }

  // StartupMessage, SSLRequest and CancelRequest have no type byte.
  void begin_untagged_message() {
    length_at_ = out_.size();
    u32(0);
  }

  // Throws std::length_error if the message is longer than Int32 can say.
  void finish_message() {
    const std::size_t length = out_.size() - length_at_;
    if (length > std::numeric_limits<std::int32_t>::max()) {
      throw std::length_error("a message longer than 2 GiB can't be sent");
    }
    boost::endian::endian_store<std::uint32_t, 4, boost::endian::order::big>(
        reinterpret_cast<unsigned char*>(out_.data() + length_at_),
        static_cast<std::uint32_t>(length));
  }

  void u8(std::uint8_t value) { integer(value); }
  void u16(std::uint16_t value) { integer(value); }
  void u32(std::uint32_t value) { integer(value); }
  void u64(std::uint64_t value) { integer(value); }
  void i32(std::int32_t value) { integer(static_cast<std::uint32_t>(value)); }
  void lsn(Lsn value) { u64(value.value); }
  void time(PgTime value) { u64(static_cast<std::uint64_t>(value.microseconds)); }

  // Byte_n_.
  void bytes(ByteView value) { out_.append(value); }

  // String. Throws std::invalid_argument for a zero byte inside: it would end the field early and
  // shift all that follows.
  void c_string(ByteView text) {
    if (text.find('\0') != ByteView::npos) {
      throw std::invalid_argument("a zero byte inside a text for the server");
    }
    out_.append(text);
    out_.push_back('\0');
  }

 private:
  template <std::unsigned_integral T>
  void integer(T value) {
    unsigned char raw[sizeof(T)];
    boost::endian::endian_store<T, sizeof(T), boost::endian::order::big>(raw, value);
    out_.append(reinterpret_cast<const char*>(raw), sizeof(T));
  }

  std::string& out_;
  std::size_t length_at_ = 0;
};

}  // namespace pgcourier::protocol
