// What a pipeline says of itself: the source of /api/v1/status, /readyz, /metrics and the status
// page. Plain values, made anew for each request.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/change_event.hpp"
#include "cdc/daemon/wall_time.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::cdc::daemon {

enum class PipelineState : std::uint8_t {
  starting,
  connecting,
  waiting_for_slot,  // warm standby: another one holds the slot (delivery.md 10)
  opening_sinks,     // the slot is ours: repair, fence, start check (delivery.md 7)
  streaming,
  waiting_to_retry,  // after a failure
  stopping,
};
inline constexpr std::size_t pipeline_state_count = 7;
std::string_view name_of(PipelineState state);

struct SourceStatus {
  std::string peer;  // "db1:5432" or a socket's path; empty while not connected
  std::string database;
  std::string slot;
  std::string publication;
  std::string server_version;
  std::string system_identifier;
  std::uint32_t timeline = 0;
  protocol::Lsn confirmed_lsn;  // sent as flush
  protocol::Lsn received_lsn;   // highest of this session
  protocol::Lsn server_lsn;     // end of WAL as the server last said
  // The server sends no more until a standby of its synchronized_standby_slots has caught up.
  bool waits_for_standby = false;
  // Kept by the server for our slot, from its restart_lsn on; empty: not known yet.
  std::optional<std::uint64_t> retained_wal_bytes;
  // Age of the oldest unconfirmed commit, 0 if there is none. Below zero when the server's clock is
  // ahead of ours (edge case 20).
  std::optional<double> lag_seconds;
  std::optional<double> last_message_age_seconds;    // since anything came from the server
  std::optional<double> last_confirmed_age_seconds;  // since confirmed_lsn moved
};

// server_lsn - confirmed_lsn; 0 where one of them is unknown or confirmed is ahead.
std::uint64_t lag_bytes(const SourceStatus& source);
// lag_seconds, never below zero.
std::optional<double> clamped_lag_seconds(const SourceStatus& source);

struct SinkStatus {
  std::string id;
  std::string kind;         // kafka | files | stdout | null
  protocol::Lsn position;   // all before it is durable here
  protocol::Lsn delivered;  // end of the last unit with an event in it
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t events = 0;     // became durable, since the program's start
  std::uint64_t bytes = 0;      // of their values
  std::string stalled_because;  // empty: not stalled
  // Records it can never take: stop, dead_letter or skip, and how many were put aside.
  std::string undeliverable_policy;
  std::uint64_t undeliverable = 0;
};

inline constexpr std::size_t operation_count = 5;  // of cdc::Operation
std::string_view name_of(Operation operation);

// Events of one table since the program's start. A logical decoding message's table is "".
struct TableStatus {
  std::string table;                                    // schema.table
  std::array<std::uint64_t, operation_count> events{};  // by Operation
};

struct ErrorCount {
  std::string kind;      // server | network | protocol | sink | settings | internal
  std::string sqlstate;  // five characters; empty unless kind is server
  std::uint64_t count = 0;
};

struct LastError {
  WallTime time;
  std::string text;
  std::string sqlstate;  // empty unless the server's
};

// One line of /readyz?verbose.
struct Check {
  std::string name;  // snake_case, constant
  bool ok = false;
  std::string detail;  // a sentence
};

struct StatusReport {
  std::string name;
  std::string version;
  PipelineState state = PipelineState::starting;
  std::string state_detail;  // a sentence for the operator
  WallTime since;            // of the state
  WallTime started;          // of the program
  SourceStatus source;
  std::vector<SinkStatus> sinks;
  // In the order of their first appearance, which decides whose counters keep a label of their own.
  std::vector<TableStatus> tables;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t in_flight_limit = 0;         // limits.in_flight_bytes
  std::uint64_t transactions = 0;            // received whole, since the program's start
  std::uint64_t streamed_transactions = 0;   // open ones, while they are in progress
  std::uint64_t streamed_memory_bytes = 0;   // what is kept of them in memory …
  std::uint64_t streamed_spilled_bytes = 0;  // … and on disk
  std::uint64_t received_bytes = 0;          // of the stream, since the program's start
  std::uint64_t reconnects = 0;
  std::vector<ErrorCount> errors;
  std::optional<LastError> last_error;
  std::vector<Check> checks;
};

// True when there are checks and all of them hold.
bool ready(const StatusReport& report);

// The body of /api/v1/status. LSNs as PostgreSQL prints them, null where unknown; times ISO 8601.
std::string to_json(const StatusReport& report);

}  // namespace pgcourier::cdc::daemon
