#include "cdc/daemon/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>

#include <map>
#include <utility>
#include <vector>

namespace pgcourier::cdc::daemon {
namespace {

using prometheus::MetricType;
using Labels = std::vector<prometheus::ClientMetric::Label>;

// Builds the families in the order they are printed.
class Families {
 public:
  explicit Families(std::string pipeline) : pipeline_(std::move(pipeline)) {}

  // All that follows until the next begin() is of this family. `name` without the prefix.
  void begin(const char* name, const char* help, MetricType type) {
    prometheus::MetricFamily family;
    family.name = std::string("pgcourier_") + name;
    family.help = help;
    family.type = type;
    families_.push_back(std::move(family));
  }

  void add(double value, Labels labels = {}) {
    prometheus::ClientMetric metric;
    metric.label.push_back({"pipeline", pipeline_});
    for (auto& label : labels) metric.label.push_back(std::move(label));
    auto& family = families_.back();
    if (family.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family.metric.push_back(std::move(metric));
  }
  void add(std::uint64_t value, Labels labels = {}) {
    add(static_cast<double>(value), std::move(labels));
  }

  void gauge(const char* name, const char* help, double value) {
    begin(name, help, MetricType::Gauge);
    add(value);
  }
  void gauge(const char* name, const char* help, std::uint64_t value) {
    gauge(name, help, static_cast<double>(value));
  }
  // A gauge that is left out while it is unknown.
  template <class T>
  void gauge(const char* name, const char* help, const std::optional<T>& value) {
    if (value) gauge(name, help, *value);
  }
  void counter(const char* name, const char* help, double value) {
    begin(name, help, MetricType::Counter);
    add(value);
  }
  void counter(const char* name, const char* help, std::uint64_t value) {
    counter(name, help, static_cast<double>(value));
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::string pipeline_;
  std::vector<prometheus::MetricFamily> families_;
};

void add_state(Families& families, const StatusReport& report) {
  families.begin("info", "What runs; always 1.", MetricType::Gauge);
  families.add(1.0, {{"version", report.version},
                     {"slot", report.source.slot},
                     {"publication", report.source.publication}});
  families.gauge("ready", "1 when /readyz answers 200.", ready(report) ? 1.0 : 0.0);
  families.begin("state", "1 for the state the pipeline is in.", MetricType::Gauge);
  for (std::size_t i = 0; i < pipeline_state_count; ++i) {
    const auto state = PipelineState(i);
    families.add(state == report.state ? 1.0 : 0.0, {{"state", std::string(name_of(state))}});
  }
  families.gauge("start_time_seconds", "When the program started, in Unix time.",
                 std::chrono::duration<double>(report.started.time_since_epoch()).count());
}

void add_source(Families& families, const SourceStatus& source) {
  families.gauge("confirmed_lsn", "Position confirmed to the server, in bytes of WAL.",
                 source.confirmed_lsn.value);
  families.gauge("received_lsn", "Highest position received in this session, in bytes of WAL.",
                 source.received_lsn.value);
  families.gauge("server_lsn", "End of WAL as the server last said, in bytes of WAL.",
                 source.server_lsn.value);
  families.gauge("lag_bytes", "WAL between the server's end and the confirmed position.",
                 lag_bytes(source));
  families.gauge("lag_seconds",
                 "Age of the oldest commit not yet confirmed; 0 if there is none or the server's "
                 "clock is ahead.",
                 clamped_lag_seconds(source));
  families.gauge("waits_for_standby",
                 "1 while the server holds back changes for a standby of its"
                 " synchronized_standby_slots.",
                 source.waits_for_standby ? 1.0 : 0.0);
  families.gauge("retained_wal_bytes", "WAL the server keeps for the slot.",
                 source.retained_wal_bytes);
  families.gauge("last_message_age_seconds", "Since anything came from the server.",
                 source.last_message_age_seconds);
  families.gauge("last_confirmed_age_seconds", "Since the confirmed position moved.",
                 source.last_confirmed_age_seconds);
}

void add_events(Families& families, const StatusReport& report) {
  families.counter("transactions_total", "Transactions received whole.", report.transactions);
  families.counter("received_bytes_total", "Bytes of the stream received.", report.received_bytes);
  families.begin("events_total", "Events handed to the sinks, by table and operation.",
                 MetricType::Counter);
  TableStatus others{other_tables, {}};
  const auto add_table = [&](const TableStatus& table) {
    for (std::size_t i = 0; i < operation_count; ++i) {
      if (table.events[i] == 0) continue;
      families.add(table.events[i],
                   {{"table", table.table}, {"op", std::string(name_of(Operation(i)))}});
    }
  };
  for (std::size_t t = 0; t < report.tables.size(); ++t) {
    if (t < max_table_labels) {
      add_table(report.tables[t]);
      continue;
    }
    for (std::size_t i = 0; i < operation_count; ++i)
      others.events[i] += report.tables[t].events[i];
  }
  add_table(others);
}

// One family with a series for each sink.
template <class Value>
void add_sink_family(Families& families, const StatusReport& report, const char* name,
                     const char* help, MetricType type, Value value) {
  families.begin(name, help, type);
  for (const auto& sink : report.sinks) {
    families.add(value(sink), {{"sink", sink.id}, {"kind", sink.kind}});
  }
}

void add_sinks(Families& families, const StatusReport& report) {
  add_sink_family(families, report, "sink_events_total", "Events that became durable in the sink.",
                  MetricType::Counter, [](const SinkStatus& sink) { return sink.events; });
  add_sink_family(families, report, "sink_bytes_total", "Bytes of the events that became durable.",
                  MetricType::Counter, [](const SinkStatus& sink) { return sink.bytes; });
  families.begin("sink_undeliverable_records_total",
                 "Records that the sink can never take, put aside as `undeliverable` says.",
                 MetricType::Counter);
  for (const auto& sink : report.sinks) {
    families.add(sink.undeliverable,
                 {{"sink", sink.id}, {"kind", sink.kind}, {"policy", sink.undeliverable_policy}});
  }
  add_sink_family(families, report, "sink_position_lsn",
                  "All before this position is durable in the sink, in bytes of WAL.",
                  MetricType::Gauge, [](const SinkStatus& sink) { return sink.position.value; });
  add_sink_family(families, report, "sink_in_flight_bytes", "Handed to the sink, not yet freed.",
                  MetricType::Gauge, [](const SinkStatus& sink) { return sink.in_flight_bytes; });
  add_sink_family(families, report, "sink_stalled", "1 while the sink can make no progress.",
                  MetricType::Gauge,
                  [](const SinkStatus& sink) { return sink.stalled_because.empty() ? 0.0 : 1.0; });
  families.gauge("in_flight_bytes", "Undelivered payload, all sinks together.",
                 report.in_flight_bytes);
  families.gauge("streamed_transactions", "Received while they are in progress, not ended yet.",
                 report.streamed_transactions);
  families.gauge("streamed_memory_bytes", "Of streamed transactions, in memory.",
                 report.streamed_memory_bytes);
  families.gauge("streamed_spilled_bytes", "Of streamed transactions, in state_dir/spill.",
                 report.streamed_spilled_bytes);
  families.gauge("in_flight_limit_bytes", "The setting limits.in_flight_bytes.",
                 report.in_flight_limit);
}

void add_errors(Families& families, const StatusReport& report) {
  families.counter("reconnects_total", "Sessions after the first.", report.reconnects);
  families.begin("errors_total",
                 "Failures that ended a session, by kind and, for the server's, SQLSTATE class.",
                 MetricType::Counter);
  std::map<std::pair<std::string, std::string>, std::uint64_t> by_class;
  for (const auto& error : report.errors) {
    by_class[{error.kind, error.sqlstate.substr(0, 2)}] += error.count;
  }
  for (const auto& [labels, count] : by_class) {
    families.add(count, {{"kind", labels.first}, {"sqlstate_class", labels.second}});
  }
}

void add_process(Families& families) {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  families.counter("process_cpu_seconds_total", "CPU time of the process, user and system.",
                   seconds(usage.ru_utime) + seconds(usage.ru_stime));
  families.gauge("process_peak_resident_memory_bytes", "Highest resident memory so far.",
                 static_cast<double>(usage.ru_maxrss) * 1024);
}

}  // namespace

std::string metrics_text(const StatusReport& report) {
  Families families(report.name);
  add_state(families, report);
  add_source(families, report.source);
  add_events(families, report);
  add_sinks(families, report);
  add_errors(families, report);
  add_process(families);
  return families.text();
}

}  // namespace pgcourier::cdc::daemon
