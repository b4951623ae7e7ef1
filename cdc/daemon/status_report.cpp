#include "cdc/daemon/status_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pgcourier::cdc::daemon {
namespace {

using Json = nlohmann::ordered_json;

Json lsn(protocol::Lsn value) {
  return value == protocol::Lsn{} ? Json(nullptr) : Json(protocol::to_string(value));
}

Json text(const std::string& value) { return value.empty() ? Json(nullptr) : Json(value); }

template <class T>
Json optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json source_json(const SourceStatus& source) {
  return {{"peer", text(source.peer)},
          {"database", source.database},
          {"slot", source.slot},
          {"publication", source.publication},
          {"server_version", text(source.server_version)},
          {"system_identifier", text(source.system_identifier)},
          {"timeline", source.timeline == 0 ? Json(nullptr) : Json(source.timeline)},
          {"confirmed_lsn", lsn(source.confirmed_lsn)},
          {"received_lsn", lsn(source.received_lsn)},
          {"server_lsn", lsn(source.server_lsn)},
          {"retained_wal_bytes", optional(source.retained_wal_bytes)},
          {"waits_for_standby", source.waits_for_standby},
          {"lag_bytes", lag_bytes(source)},
          {"lag_seconds", optional(clamped_lag_seconds(source))},
          {"server_clock_ahead", source.lag_seconds.value_or(0) < 0},
          {"last_message_age_seconds", optional(source.last_message_age_seconds)},
          {"last_confirmed_age_seconds", optional(source.last_confirmed_age_seconds)}};
}

Json sink_json(const SinkStatus& sink) {
  return {
      {"id", sink.id},
      {"kind", sink.kind},
      {"position", lsn(sink.position)},
      {"delivered", lsn(sink.delivered)},
      {"in_flight_bytes", sink.in_flight_bytes},
      {"events", sink.events},
      {"bytes", sink.bytes},
      {"undeliverable", {{"policy", sink.undeliverable_policy}, {"records", sink.undeliverable}}},
      {"stalled_because", text(sink.stalled_because)}};
}

Json table_json(const TableStatus& table) {
  Json events = Json::object();
  for (std::size_t i = 0; i < operation_count; ++i) {
    if (table.events[i] != 0) events[std::string(name_of(Operation(i)))] = table.events[i];
  }
  return {{"table", table.table}, {"events", std::move(events)}};
}

Json error_json(const ErrorCount& error) {
  return {{"kind", error.kind}, {"sqlstate", text(error.sqlstate)}, {"count", error.count}};
}

Json last_error_json(const LastError& error) {
  return {
      {"time", to_iso8601(error.time)}, {"text", error.text}, {"sqlstate", text(error.sqlstate)}};
}

Json check_json(const Check& check) {
  return {{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}};
}

template <class T>
Json list(const std::vector<T>& items, Json (*to)(const T&)) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(to(item));
  return array;
}

}  // namespace

std::string_view name_of(PipelineState state) {
  switch (state) {
    case PipelineState::starting:
      return "starting";
    case PipelineState::connecting:
      return "connecting";
    case PipelineState::waiting_for_slot:
      return "waiting_for_slot";
    case PipelineState::opening_sinks:
      return "opening_sinks";
    case PipelineState::streaming:
      return "streaming";
    case PipelineState::waiting_to_retry:
      return "waiting_to_retry";
    case PipelineState::stopping:
      return "stopping";
  }
  return "unknown";
}

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::insert:
      return "insert";
    case Operation::update:
      return "update";
    case Operation::delete_:
      return "delete";
    case Operation::truncate:
      return "truncate";
    case Operation::message:
      return "message";
    case Operation::prepare:
      return "prepare";
    case Operation::commit_prepared:
      return "commit_prepared";
    case Operation::rollback_prepared:
      return "rollback_prepared";
  }
  return "unknown";
}

std::uint64_t lag_bytes(const SourceStatus& source) {
  if (source.confirmed_lsn == protocol::Lsn{} || source.server_lsn < source.confirmed_lsn) return 0;
  return source.server_lsn.value - source.confirmed_lsn.value;
}

std::optional<double> clamped_lag_seconds(const SourceStatus& source) {
  if (!source.lag_seconds) return std::nullopt;
  return std::max(0.0, *source.lag_seconds);
}

bool ready(const StatusReport& report) {
  return !report.checks.empty() && std::all_of(report.checks.begin(), report.checks.end(),
                                               [](const Check& check) { return check.ok; });
}

std::string to_json(const StatusReport& report) {
  const Json json{
      {"name", report.name},
      {"version", report.version},
      {"state", name_of(report.state)},
      {"state_detail", report.state_detail},
      {"since", to_iso8601(report.since)},
      {"started", to_iso8601(report.started)},
      {"ready", ready(report)},
      {"source", source_json(report.source)},
      {"sinks", list(report.sinks, sink_json)},
      {"tables", list(report.tables, table_json)},
      {"in_flight_bytes", report.in_flight_bytes},
      {"in_flight_limit", report.in_flight_limit},
      {"transactions", report.transactions},
      {"streamed_transactions", report.streamed_transactions},
      {"streamed_memory_bytes", report.streamed_memory_bytes},
      {"streamed_spilled_bytes", report.streamed_spilled_bytes},
      {"received_bytes", report.received_bytes},
      {"reconnects", report.reconnects},
      {"errors", list(report.errors, error_json)},
      {"last_error", report.last_error ? last_error_json(*report.last_error) : Json(nullptr)},
      {"checks", list(report.checks, check_json)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pgcourier::cdc::daemon
