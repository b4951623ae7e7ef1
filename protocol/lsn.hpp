// A position in the server's write-ahead log.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgcourier::protocol {

// Byte offset into the WAL (the server's XLogRecPtr). Zero means "none": the server never writes
// there, and START_REPLICATION takes 0/0 as "continue where the slot stands".
struct Lsn {
  std::uint64_t value = 0;

  friend auto operator<=>(const Lsn&, const Lsn&) = default;
};

// "16/B374D848": two hexadecimal halves, as PostgreSQL prints it.
std::string to_string(Lsn lsn);

// Inverse of to_string(). Empty unless `text` is exactly one position.
std::optional<Lsn> parse_lsn(std::string_view text);

}  // namespace pgcourier::protocol
