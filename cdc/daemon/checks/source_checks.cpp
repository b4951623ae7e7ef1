#include "cdc/daemon/checks/source_checks.hpp"

#include <charconv>
#include <cstdint>
#include <string>

#include "cdc/daemon/checks/standby_names.hpp"
#include "cdc/daemon/exit_codes.hpp"
#include "cdc/daemon/single_row.hpp"
#include "protocol/protocol_error.hpp"

namespace pgcourier::cdc::daemon {

namespace {

constexpr const char* server_settings = R"(
  SELECT pg_catalog.current_setting('wal_level'),
         pg_catalog.pg_is_in_recovery(),
         pg_catalog.current_setting('max_replication_slots'),
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
         pg_catalog.current_setting('max_wal_senders'),
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),
         pg_catalog.current_setting('synchronous_standby_names'),
         (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'))";

// Shorter, and a busy moment of ours looks like our death to the server.
constexpr std::int64_t short_timeout_ms = 10'000;

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw protocol::ProtocolError("settings", "'" + text + "' is not a number");
  }
  return value;
}

void check_decoding(const std::string& wal_level, bool standby, int version,
                    const config::Source& source, bool bookmark_exists, Findings& findings) {
  if (wal_level == "logical") {
    findings.ok("wal_level", wal_level);
  } else {
    findings.error("wal_level", bookmark_exists ? exit_slot : exit_settings,
                   "wal_level is " + wal_level + ", logical is needed",
                   "ALTER SYSTEM SET wal_level = logical, and restart the server");
  }
  if (standby && version < 160000) {
    findings.error("standby", exit_settings,
                   "this server is a standby, and before PostgreSQL 16 none can decode",
                   "name the primary in source.url");
  }
  if (source.origin != "any" && version < 160000) {
    findings.error("origin", exit_settings,
                   "source.origin: " + source.origin + " needs PostgreSQL 16",
                   "leave source.origin at any");
  }
  if (source.two_phase && version < 150000) {
    findings.error("two_phase", exit_settings, "source.two_phase: true needs PostgreSQL 15",
                   "leave source.two_phase at false");
  }
}

void check_timeout(std::int64_t timeout_ms, Findings& findings) {
  const std::string value = "wal_sender_timeout is " + std::to_string(timeout_ms) + " ms";
  if (timeout_ms == 0) {
    findings.warning("wal_sender_timeout", "wal_sender_timeout is off",
                     "set it: else the server holds the slot for a client that vanished, and no"
                     " standby can take over");
  } else if (timeout_ms < short_timeout_ms) {
    findings.warning("wal_sender_timeout", value,
                     "raise it to 10 s or more, or short delays end the session");
  } else {
    findings.ok("wal_sender_timeout", value);
  }
}

}  // namespace

boost::asio::awaitable<void> check_server(replication::Connection& sql,
                                          const config::Settings& settings, bool slot_is_needed,
                                          bool bookmark_exists, Findings& findings) {
  const auto answer = co_await sql.query(server_settings);
  const auto& row = single_row(answer, 8, "settings");
  const auto text = [&row](std::size_t column) { return row[column].value_or(""); };

  check_decoding(text(0), text(1) == "t", sql.server_version(), settings.source, bookmark_exists,
                 findings);

  const std::string slots = text(3) + " of max_replication_slots " + text(2) + " are in use";
  if (slot_is_needed && number(text(3)) >= number(text(2))) {
    findings.error("slots_left", exit_settings, slots + ", and one must be created",
                   "raise max_replication_slots (restart), or drop a slot nobody needs");
  } else {
    findings.ok("slots_left", slots);
  }
  // That one is left shows in that this check could connect as a walsender.
  findings.ok("senders_left", text(5) + " of max_wal_senders " + text(4) + " are in use");

  if (names_standby(text(6), settings.name)) {
    findings.warning("synchronous_standby_names",
                     "'" + text(6) + "' names this pipeline: commits on the server wait for it",
                     "name the standbys in synchronous_standby_names, without " + settings.name);
  }
  check_timeout(number(text(7)), findings);
}

}  // namespace pgcourier::cdc::daemon
