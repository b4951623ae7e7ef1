#include "sinks/kafka_checks.hpp"

#include <cstdint>

#include "sinks/kafka_admin.hpp"
#include "sinks/kafka_client.hpp"
#include "sinks/kafka_topic_names.hpp"

namespace pgcourier::sinks {

using cdc::SinkError;
using cdc::SinkFailure;
using Severity = KafkaFinding::Severity;

namespace {

// Below this, a consumer that is down for a while misses events.
constexpr std::int64_t short_retention_ms = 60 * 60 * 1000;

class KafkaCheck {
 public:
  KafkaCheck(const config::KafkaSettings& settings, const std::string& name)
      : settings_(settings), name_(name) {}

  std::vector<KafkaFinding> run(const std::vector<std::pair<std::string, std::string>>& tables) {
    try {
      KafkaAdmin admin(settings_, name_);
      admin.connect();
      add(Severity::fine, std::to_string(admin.broker_count()) + " brokers answer", "");
      check_position_topic(admin);
      for (const auto& [schema, table] : tables) check_table(admin, schema, table);
    } catch (const SinkError& error) {
      add(Severity::error, error.what(),
          error.failure() == SinkFailure::settings ? "correct the sink's settings"
                                                   : "see that brokers and permissions are right",
          error.failure());
    }
    return std::move(findings_);
  }

 private:
  void add(Severity severity, const std::string& what, const std::string& remedy,
           std::optional<SinkFailure> failure = std::nullopt) {
    findings_.push_back({severity, what, remedy, failure});
  }

  void check_position_topic(KafkaAdmin& admin) {
    const std::string topic = position_topic_name(name_);
    const auto state = check_exists(admin, topic, 1);
    if (!state) return;
    if (state->partitions != 1) {
      add(Severity::error,
          "topic " + topic + " has " + std::to_string(state->partitions) + " partitions",
          "bookmarks need exactly one: remove the topic, or choose another name",
          SinkFailure::settings);
    }
    const auto config = admin.topic_config(topic);
    if (!config || !config->contains("cleanup.policy")) return;
    if (const auto& policy = config->at("cleanup.policy"); policy != "compact") {
      add(Severity::error, "topic " + topic + " has cleanup.policy=" + policy,
          "set cleanup.policy=compact, or Kafka deletes the bookmark", SinkFailure::settings);
    }
  }

  void check_table(KafkaAdmin& admin, const std::string& schema, const std::string& table) {
    const std::string topic = topic_name(settings_.topic, name_, schema, table);
    const std::string qualified = schema + "." + table;
    if (const auto problem = topic_name_problem(topic); !problem.empty()) {
      add(Severity::error, "table " + qualified + ": " + problem, "change `topic`",
          SinkFailure::settings);
      return;
    }
    const auto [owner, is_new] = owners_.try_emplace(topic, qualified);
    const bool is_our_own =
        topic == position_topic_name(name_) || topic == message_topic_name(name_) ||
        topic == outcome_topic_name(name_) || topic == dead_letter_topic_name(name_);
    if (!is_new || is_our_own) {
      add(Severity::error,
          "topic " + topic + " would take the events of " +
              (is_new ? "pgcourier itself" : "table " + owner->second) + " and of table " +
              qualified,
          "change `topic`, or leave one out with source.tables", SinkFailure::settings);
      return;
    }
    const int wanted = settings_.create_topics ? settings_.create_topics->partitions : 0;
    const auto state = check_exists(admin, topic, wanted);
    if (!state) return;
    if (!state->led) {
      add(Severity::error, "topic " + topic + ": a partition has no leader",
          "bring the missing broker back", SinkFailure::unavailable);
    }
    const auto config = admin.topic_config(topic);
    const auto in_sync = config ? number_in(*config, "min.insync.replicas", 0) : 0;
    if (in_sync > state->replicas) {
      add(Severity::error,
          "topic " + topic + " has min.insync.replicas=" + std::to_string(in_sync) + ", but " +
              std::to_string(state->replicas) + " replicas: it takes no record",
          "lower min.insync.replicas or add replicas", SinkFailure::unavailable);
    } else if (state->replicas == 1 && admin.broker_count() > 1) {
      add(Severity::warning, "topic " + topic + " has one replica",
          "a lost disk loses it: raise its replication factor");
    }
    if (!config) return;
    for (auto& finding : retention_findings(topic, *config)) {
      findings_.push_back(std::move(finding));
    }
  }

  std::optional<TopicState> check_exists(KafkaAdmin& admin, const std::string& topic, int wanted) {
    auto state = admin.find_topic(topic);
    if (state) {
      add(Severity::fine,
          "topic " + topic + ": " + std::to_string(state->partitions) + " partitions, " +
              std::to_string(state->replicas) + " replicas",
          "");
    } else if (settings_.create_topics) {
      add(Severity::fine,
          "topic " + topic + " would be created with " + std::to_string(wanted) + " partitions",
          "");
    } else {
      add(Severity::error, "topic " + topic + " does not exist and create_topics is false",
          "create it, or let create_topics do so", SinkFailure::unavailable);
    }
    return state;
  }

  const config::KafkaSettings& settings_;
  const std::string& name_;
  std::vector<KafkaFinding> findings_;
  std::map<std::string, std::string> owners_;  // topic → table
};

}  // namespace

std::vector<KafkaFinding> retention_findings(const std::string& topic,
                                             const std::map<std::string, std::string>& config) {
  std::vector<KafkaFinding> findings;
  const auto found = config.find("cleanup.policy");
  if (found == config.end()) return findings;
  const std::string& policy = found->second;
  const auto retention_ms = number_in(config, "retention.ms", -1);
  if (policy.find("delete") != std::string::npos && retention_ms >= 0 &&
      retention_ms < short_retention_ms) {
    findings.push_back({Severity::warning,
                        "topic " + topic + " has retention.ms=" + std::to_string(retention_ms) +
                            ": Kafka deletes events within the hour, read or not",
                        "raise retention.ms above the longest pause of a consumer"});
  }
  if (policy.find("compact") != std::string::npos) {
    findings.push_back({Severity::warning,
                        "topic " + topic + " has cleanup.policy=" + policy +
                            ": Kafka refuses records without key there (of a table without key, "
                            "and of TRUNCATE), and keeps only the last event of each key",
                        "set cleanup.policy=delete, or be sure that the table has a key and is "
                        "never truncated"});
  }
  return findings;
}

void check_kafka_properties(const config::KafkaSettings& settings, const std::string& name) {
  make_kafka_conf(RD_KAFKA_PRODUCER, settings, name);
}

std::vector<KafkaFinding> check_kafka(
    const config::KafkaSettings& settings, const std::string& name,
    const std::vector<std::pair<std::string, std::string>>& tables) {
  return KafkaCheck(settings, name).run(tables);
}

}  // namespace pgcourier::sinks
