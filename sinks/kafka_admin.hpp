// What pgcourier asks of a Kafka cluster besides taking records: topics, their settings, one
// acknowledged record, one read back. Everything here blocks, with bounds: for worker threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "sinks/kafka_client.hpp"
#include "sinks/kafka_handles.hpp"

namespace pgcourier::sinks {

// How long to wait for brokers, leaders and answers before a SinkError says so; the daemon tries
// again.
constexpr std::chrono::milliseconds kafka_patience{15'000};

// A topic as the cluster's metadata shows it.
struct TopicState {
  std::int32_t partitions = 0;
  std::int32_t replicas = 0;  // of the partition with the fewest
  bool led = false;           // every partition has a leader
};

// By name; librdkafka gives all as text.
using TopicConfig = std::map<std::string, std::string>;

// `otherwise`: it is not there, or no number.
std::int64_t number_in(const TopicConfig& config, const std::string& key, std::int64_t otherwise);

// All functions throw SinkError{unavailable}, with librdkafka's or the broker's own words, when the
// cluster doesn't answer in time.
class KafkaAdmin {
 public:
  KafkaAdmin(const config::KafkaSettings& settings, const std::string& client_id,
             std::chrono::milliseconds patience = kafka_patience);

  // Waits for a broker. A refused log-in is reported at once, everything else after the patience.
  void connect();

  // Empty: there is no such topic.
  std::optional<TopicState> find_topic(const std::string& topic);

  // Waits until every partition has a leader.
  TopicState await_topic(const std::string& topic);

  // `partitions` and create_topics' replication factor; no error if somebody else was quicker.
  // Throws SinkError{settings} for what the broker will never accept.
  void create_topic(const std::string& topic, std::int32_t partitions, const TopicConfig& config);

  // Empty: the cluster doesn't tell (no permission, or too old).
  std::optional<TopicConfig> topic_config(const std::string& topic);

  // The brokers' transaction.max.timeout.ms; Kafka's default where they don't tell.
  std::chrono::milliseconds longest_transaction();

  // Returns when all replicas asked for have it.
  void write_record(const std::string& topic, const std::string& key, const std::string& value);

  // Gives `take` each value under `key` in partition 0, committed ones only, from the first to the
  // last; empty: a tombstone.
  using TakeValue = std::function<void(const std::optional<std::string_view>& value)>;
  void read_records(const std::string& topic, const std::string& key, const TakeValue& take);

  int broker_count();

 private:
  std::optional<TopicConfig> describe(rd_kafka_ResourceType_t type, const std::string& name,
                                      const std::string& doing);
  MetadataHandle metadata(rd_kafka_topic_t* only);
  EventHandle await_answer(rd_kafka_queue_t* queue, const std::string& what);
  void note_errors();
  cdc::SinkError unavailable(const std::string& what, const std::string& reason) const;

  const config::KafkaSettings settings_;
  const std::string client_id_;
  const std::chrono::milliseconds patience_;
  ClientHandle client_;
  QueueHandle events_;
  KafkaTrouble trouble_;
};

}  // namespace pgcourier::sinks
