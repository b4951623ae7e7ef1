#include "sinks/kafka_topic.hpp"

#include <algorithm>

namespace pgcourier::sinks {
namespace {

std::int32_t murmur2(std::string_view key, std::int32_t partitions) {
  return rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partitions, nullptr,
                                          nullptr);
}

std::int32_t choose_partition(const rd_kafka_topic_t*, const void* key, std::size_t key_size,
                              std::int32_t partition_count, void* opaque, void*) {
  auto& topic = *static_cast<KafkaTopic*>(opaque);
  topic.partitions_now.store(partition_count, std::memory_order_relaxed);
  // Fewer than before: the topic was made anew. The session ends; until then stay in range.
  const std::int32_t partitions = std::min(topic.partitions, partition_count);
  if (key == nullptr) return topic.keyless_partition % partitions;
  return murmur2({static_cast<const char*>(key), key_size}, partitions);
}

}  // namespace

std::unique_ptr<KafkaTopic> make_kafka_topic(rd_kafka_t* producer, const std::string& name,
                                             const std::string& schema, const std::string& table,
                                             std::int32_t partitions) {
  auto topic = std::make_unique<KafkaTopic>();
  topic->name = name;
  topic->schema = schema;
  topic->table = table;
  topic->partitions = partitions;
  topic->partitions_now = partitions;
  topic->keyless_partition = murmur2(schema + "." + table, partitions);

  // A topic made with a configuration of its own loses what the client's says, but for this copy.
  TopicConfHandle conf(rd_kafka_default_topic_conf_dup(producer));
  rd_kafka_topic_conf_set_opaque(conf.get(), topic.get());
  rd_kafka_topic_conf_set_partitioner_cb(conf.get(), choose_partition);
  topic->handle.reset(rd_kafka_topic_new(producer, name.c_str(), conf.release()));
  return topic;
}

std::string describe(const KafkaTopic& topic) {
  std::string text = "topic " + topic.name;
  if (!topic.table.empty()) text += " (table " + topic.schema + "." + topic.table + ")";
  return text;
}

}  // namespace pgcourier::sinks
