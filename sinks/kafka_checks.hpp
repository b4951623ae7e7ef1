// What `pgcourier check` can say about a Kafka sink before anything is written to it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"

namespace pgcourier::sinks {

struct KafkaFinding {
  enum class Severity { fine, warning, error };

  Severity severity = Severity::fine;
  std::string what;
  std::string remedy;                         // empty if fine
  std::optional<cdc::SinkFailure> failure{};  // of an error: how `run` would end
};

// Brokers, the bookmark topic, and the topic of each table (schema, name). BLOCKING; creates
// nothing; throws nothing but std::bad_alloc.
std::vector<KafkaFinding> check_kafka(
    const config::KafkaSettings& settings, const std::string& name,
    const std::vector<std::pair<std::string, std::string>>& tables);

// What an existing table topic with these settings does to events: only warnings.
std::vector<KafkaFinding> retention_findings(const std::string& topic,
                                             const std::map<std::string, std::string>& config);

// Throws SinkError{settings}, as run would, for a property that librdkafka doesn't know or whose
// value it refuses. Connects nowhere.
void check_kafka_properties(const config::KafkaSettings& settings, const std::string& name);

}  // namespace pgcourier::sinks
