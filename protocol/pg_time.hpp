// PostgreSQL's time stamps and their place in the Unix era.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace pgcourier::protocol {

// Microseconds since 2000-01-01 00:00 UTC, the epoch of PostgreSQL's timestamps.
struct PgTime {
  std::int64_t microseconds = 0;

  friend auto operator<=>(const PgTime&, const PgTime&) = default;
};

// From 1970-01-01 to 2000-01-01.
constexpr std::int64_t pg_epoch_unix_microseconds = 946'684'800'000'000;

constexpr PgTime from_unix_microseconds(std::int64_t unix_microseconds) {
  return {unix_microseconds - pg_epoch_unix_microseconds};
}

// Saturates at the ends of int64: commit times beyond them are nonsense, not undefined behaviour.
std::int64_t unix_microseconds(PgTime time);

// "2026-11-22T10:00:00.123456Z", always six digits, always UTC. Years past 9999 have more digits;
// those before year 1 are astronomical, as ISO 8601 has it: 0000 is 1 BC, -0001 is 2 BC.
std::string to_iso8601(PgTime time);

}  // namespace pgcourier::protocol
