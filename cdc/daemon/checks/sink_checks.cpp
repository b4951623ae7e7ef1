#include "cdc/daemon/checks/sink_checks.hpp"

#include <exception>
#include <variant>

#include "cdc/daemon/checks/folder_check.hpp"
#include "cdc/daemon/retry_policy.hpp"
#include "cdc/sink.hpp"
#include "sinks/kafka_checks.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// What `run` would end with.
int exit_code_of(const sinks::KafkaFinding& found) {
  const auto failure = found.failure.value_or(SinkFailure::internal);
  return next_step(std::make_exception_ptr(SinkError(failure, found.what)), false).exit_code;
}

void check_kafka_sink(const config::KafkaSettings& kafka, const config::Settings& settings,
                      const TableNames& tables, Findings& findings) {
  const std::string name = "sink " + kafka.id;
  for (auto& found : sinks::check_kafka(kafka, settings.name, tables)) {
    switch (found.severity) {
      case sinks::KafkaFinding::Severity::fine:
        findings.ok(name, std::move(found.what));
        break;
      case sinks::KafkaFinding::Severity::warning:
        findings.warning(name, std::move(found.what), std::move(found.remedy));
        break;
      case sinks::KafkaFinding::Severity::error:
        findings.error(name, exit_code_of(found), std::move(found.what), std::move(found.remedy));
    }
  }
}

}  // namespace

void check_sinks(const config::Settings& settings, const TableNames& tables, Findings& findings) {
  const auto& slot = settings.source.slot;
  const std::string lock_name = settings.name + ".lock";
  check_folder("state_dir", settings.state_dir, settings.state_dir / lock_name, slot, findings);
  for (const auto& sink : settings.sinks) {
    if (const auto* files = std::get_if<config::FilesSettings>(&sink)) {
      check_folder("sink " + files->id, files->directory, files->directory / lock_name, slot,
                   findings);
    } else if (const auto* kafka = std::get_if<config::KafkaSettings>(&sink)) {
      check_kafka_sink(*kafka, settings, tables, findings);
    }
  }
}

}  // namespace pgcourier::cdc::daemon
