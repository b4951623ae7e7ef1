#include "cdc/daemon/pipeline_status.hpp"

#include <algorithm>
#include <type_traits>

#include "cdc/daemon/version.hpp"
#include "config/undeliverable.hpp"
#include "protocol/pg_time.hpp"

namespace pgcourier::cdc::daemon {

using Clock = std::chrono::steady_clock;

namespace {

std::optional<double> seconds_since(std::optional<Clock::time_point> then) {
  if (!then) return std::nullopt;
  return std::chrono::duration<double>(Clock::now() - *then).count();
}

const char* kind_of(const config::SinkSettings& sink) {
  return std::visit(
      [](const auto& settings) {
        using Kind = std::decay_t<decltype(settings)>;
        if constexpr (std::is_same_v<Kind, config::KafkaSettings>) return "kafka";
        if constexpr (std::is_same_v<Kind, config::FilesSettings>) return "files";
        if constexpr (std::is_same_v<Kind, config::StdoutSettings>) return "stdout";
        return "null";
      },
      sink);
}

// What becomes of a record that the sink can't take.
std::string policy_of(const config::SinkSettings& sink) {
  const auto* kafka = std::get_if<config::KafkaSettings>(&sink);
  return std::string(
      config::name_of(kafka == nullptr ? config::Undeliverable::stop : kafka->undeliverable));
}

// In the order of first appearance, which metrics rely on.
TableStatus& table_named(std::vector<TableStatus>& tables, const std::string& name) {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const TableStatus& table) { return table.table == name; });
  return found != tables.end() ? *found : tables.emplace_back(TableStatus{name, {}});
}

}  // namespace

PipelineStatus::PipelineStatus(const config::Settings& settings)
    : name_(settings.name),
      in_flight_limit_(settings.limits.in_flight_bytes),
      started_(std::chrono::system_clock::now()),
      since_(started_) {
  for (const auto& sink : settings.sinks) {
    sinks_.push_back({config::id_of(sink), kind_of(sink), policy_of(sink)});
  }
  source_.slot = settings.source.slot;
  source_.publication = settings.source.publication;
}

void PipelineStatus::enter(PipelineState state, std::string detail) {
  if (state != state_) since_ = std::chrono::system_clock::now();
  state_ = state;
  state_detail_ = std::move(detail);
}

void PipelineStatus::failed(const NextStep& step) {
  last_error_ = LastError{std::chrono::system_clock::now(), step.what, step.sqlstate};
  const auto found = std::find_if(errors_.begin(), errors_.end(), [&](const ErrorCount& count) {
    return count.kind == step.kind && count.sqlstate == step.sqlstate;
  });
  auto& counted = found != errors_.end()
                      ? *found
                      : errors_.emplace_back(ErrorCount{step.kind, step.sqlstate, 0});
  ++counted.count;
}

void PipelineStatus::received(std::size_t bytes, Clock::time_point now) {
  received_bytes_ += bytes;
  last_message_ = now;
}

void PipelineStatus::server_at(protocol::Lsn lsn) {
  source_.server_lsn = std::max(source_.server_lsn, lsn);
}

void PipelineStatus::confirmed(protocol::Lsn lsn, Clock::time_point now) {
  if (lsn != source_.confirmed_lsn) last_confirmed_ = now;
  source_.confirmed_lsn = lsn;
}

void PipelineStatus::attach(const Pipeline& pipeline) { pipeline_ = &pipeline; }

void PipelineStatus::detach() {
  source_.peer.clear();
  source_.retained_wal_bytes.reset();
  source_.waits_for_standby = false;
  source_.server_lsn = {};
  if (!pipeline_) return;
  add_tables(past_.tables);
  past_.transactions += pipeline_->transactions();
  for (const auto& view : pipeline_->sinks()) {
    past_.sinks[view.sink->id()].add(view.sink->totals());
  }
  pipeline_ = nullptr;
}

// Adds the live pipeline's counts to `tables`.
void PipelineStatus::add_tables(std::vector<TableStatus>& tables) const {
  const auto& relations = pipeline_->relations().all();
  const auto& counts = pipeline_->counts();
  for (std::size_t shape = 0; shape < counts.size(); ++shape) {
    const auto& relation = relations[shape];
    auto& table = table_named(tables, relation.schema + "." + relation.table);
    for (std::size_t op = 0; op < operation_count; ++op) table.events[op] += counts[shape][op];
  }
  if (pipeline_->logical_messages() > 0) {
    table_named(tables, "").events[static_cast<std::size_t>(Operation::message)] +=
        pipeline_->logical_messages();
  }
}

std::vector<SinkStatus> PipelineStatus::sink_statuses() const {
  std::vector<SinkStatus> statuses;
  const auto add = [](SinkStatus& status, const SinkTotals& totals) {
    status.events += totals.events;
    status.bytes += totals.bytes;
    status.undeliverable += totals.undeliverable;
  };
  for (const auto& sink : sinks_) {
    auto& status = statuses.emplace_back(
        SinkStatus{.id = sink.id, .kind = sink.kind, .undeliverable_policy = sink.policy});
    if (const auto past = past_.sinks.find(sink.id); past != past_.sinks.end()) {
      add(status, past->second);
    }
  }
  if (!pipeline_) return statuses;
  for (const auto& view : pipeline_->sinks()) {
    auto& status = *std::find_if(statuses.begin(), statuses.end(),
                                 [&](const SinkStatus& s) { return s.id == view.sink->id(); });
    add(status, view.sink->totals());
    status.position = view.durable.position;
    status.delivered = view.durable.delivered;
    status.in_flight_bytes = view.in_flight_bytes;
    status.stalled_because = view.sink->stalled_because();
  }
  return statuses;
}

std::vector<Check> PipelineStatus::checks(const StatusReport& report) const {
  const bool streams =
      state_ == PipelineState::streaming || state_ == PipelineState::waiting_for_slot;
  std::vector<Check> checks{{"source", streams, report.state_detail}};
  for (const auto& sink : report.sinks) {
    const bool well = sink.stalled_because.empty();
    const std::string detail = pipeline_ ? "takes events" : "not in use";
    checks.push_back({"sink_" + sink.id, well, well ? detail : sink.stalled_because});
  }
  return checks;
}

StatusReport PipelineStatus::report() const {
  StatusReport report;
  report.name = name_;
  report.version = version;
  report.state = state_;
  report.state_detail = state_detail_;
  report.since = since_;
  report.started = started_;
  report.source = source_;
  report.sinks = sink_statuses();
  report.tables = past_.tables;
  report.transactions = past_.transactions;
  report.in_flight_limit = in_flight_limit_;
  report.received_bytes = received_bytes_;
  report.reconnects = reconnects_;
  report.errors = errors_;
  report.last_error = last_error_;
  if (pipeline_) {
    add_tables(report.tables);
    report.transactions += pipeline_->transactions();
    report.in_flight_bytes = pipeline_->in_flight_bytes();
    const auto& streamed = pipeline_->streamed();
    report.streamed_transactions = streamed.transactions;
    report.streamed_memory_bytes = streamed.memory_bytes;
    report.streamed_spilled_bytes = streamed.spilled_bytes;
    report.source.received_lsn = pipeline_->received();
    report.source.last_message_age_seconds = seconds_since(last_message_);
    report.source.last_confirmed_age_seconds = seconds_since(last_confirmed_);
    const auto unix_now = std::chrono::duration_cast<std::chrono::microseconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count();
    report.source.lag_seconds = 0.0;
    if (const auto oldest = pipeline_->oldest_unconfirmed_commit()) {
      // Apart, since a commit time may be any int64.
      report.source.lag_seconds = (static_cast<double>(unix_now) -
                                   static_cast<double>(protocol::unix_microseconds(*oldest))) /
                                  1e6;
    }
  }
  report.checks = checks(report);
  return report;
}

}  // namespace pgcourier::cdc::daemon
