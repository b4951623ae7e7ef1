// One topic records are produced to, and which of its partitions (delivery.md 16).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sinks/kafka_handles.hpp"

namespace pgcourier::sinks {

// Reachable from librdkafka as the topic's opaque, so it stays where it is until the producer is
// destroyed. The io thread's, but for what is said otherwise.
struct KafkaTopic {
  std::string name;
  // Whose events go here; both empty for a topic of the pipeline's own.
  std::string schema;
  std::string table;

  // The number of partitions all keys are spread over until the session ends, so that a key keeps
  // its partition while librdkafka learns of new ones.
  std::int32_t partitions = 0;
  std::int32_t keyless_partition = 0;
  // Written by the partitioner, on librdkafka's thread at times.
  std::atomic<std::int32_t> partitions_now = 0;

  bool holds_bookmarks = false;       // its records are no events
  std::size_t max_message_bytes = 0;  // 0: not known
  TopicHandle handle;

  std::size_t unacknowledged = 0;
  std::chrono::steady_clock::time_point last_progress;
};

// Partitions by Java's murmur2 of the key; records without key by that of "schema.table".
std::unique_ptr<KafkaTopic> make_kafka_topic(rd_kafka_t* producer, const std::string& name,
                                             const std::string& schema, const std::string& table,
                                             std::int32_t partitions);

// "topic shop.public.orders (table public.orders)"
std::string describe(const KafkaTopic& topic);

}  // namespace pgcourier::sinks
