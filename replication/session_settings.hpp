// The server settings that values' texts depend on, pinned for every session of ours.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pgcourier::replication {

// For Connection::open(): parameters of the StartupMessage (any setting may be one), so they hold
// before the first command and over what ALTER ROLE or ALTER DATABASE … SET say. The stream and the
// second connection must agree, else a value has two forms. lc_monetary stays the server's: money
// is passed on as text. All are known to PostgreSQL 14 and later.
inline std::vector<std::pair<std::string, std::string>> session_settings() {
  return {
      {"client_encoding", "UTF8"},
      {"DateStyle", "ISO"},
      {"IntervalStyle", "iso_8601"},
      {"TimeZone", "UTC"},
      {"extra_float_digits", "1"},
      {"bytea_output", "hex"},
      // Names that a value mentions (regclass, regtype) come with their schema.
      {"search_path", "pg_catalog"},
      {"standard_conforming_strings", "on"},
      // A limit meant for people's queries must not end a stream or a catalog query.
      {"statement_timeout", "0"},
      {"lock_timeout", "0"},
      {"idle_in_transaction_session_timeout", "0"},
      {"idle_session_timeout", "0"},
  };
}

}  // namespace pgcourier::replication
