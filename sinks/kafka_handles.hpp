// librdkafka's C handles with their deleters. See librdkafka's rdkafka.h.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

namespace pgcourier::sinks {

template <auto destroy>
struct KafkaDeleter {
  template <typename Handle>
  void operator()(Handle* handle) const {
    destroy(handle);
  }
};

template <typename Handle, auto destroy>
using KafkaHandle = std::unique_ptr<Handle, KafkaDeleter<destroy>>;

// Destroying a client waits for its threads: a worker thread's business.
using ClientHandle = KafkaHandle<rd_kafka_t, rd_kafka_destroy>;
using ConfHandle = KafkaHandle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using TopicConfHandle = KafkaHandle<rd_kafka_topic_conf_t, rd_kafka_topic_conf_destroy>;
// Topics and queues must be destroyed before their client.
using TopicHandle = KafkaHandle<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using QueueHandle = KafkaHandle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using EventHandle = KafkaHandle<rd_kafka_event_t, rd_kafka_event_destroy>;
using ErrorHandle = KafkaHandle<rd_kafka_error_t, rd_kafka_error_destroy>;
using MessageHandle = KafkaHandle<rd_kafka_message_t, rd_kafka_message_destroy>;
using MetadataHandle = KafkaHandle<const rd_kafka_metadata_t, rd_kafka_metadata_destroy>;
using AdminOptionsHandle = KafkaHandle<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using NewTopicHandle = KafkaHandle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using ConfigResourceHandle =
    KafkaHandle<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;

// RD_KAFKA_PARTITION_UA without its old-style cast: the topic's partitioner decides.
constexpr std::int32_t by_partitioner = -1;

}  // namespace pgcourier::sinks
