// What `pgcourier check` can say about a Kafka sink before anything is written to it.
#pragma once

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

}  // namespace pgcourier::sinks
