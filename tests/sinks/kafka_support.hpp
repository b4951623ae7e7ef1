// What the Kafka sink's tests have in common: events, a loop that collects, and a reader of their
// own.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "cdc/sink.hpp"
#include "sinks/kafka_handles.hpp"

namespace pgcourier::tests {

inline cdc::Relation relation(std::uint32_t version, const std::string& schema,
                              const std::string& table) {
  cdc::Relation relation;
  relation.version = version;
  relation.schema = schema;
  relation.table = table;
  return relation;
}

inline cdc::Record record(const cdc::Relation& relation, cdc::Routing routing, std::string_view key,
                          std::string_view value) {
  cdc::Record record;
  record.relation = &relation;
  record.routing = routing;
  record.key = key;
  record.value = value;
  return record;
}

inline cdc::Bookmark kafka_bookmark(std::uint64_t position) {
  return {{"7000000000000000001", 1, "shop", "shop"},
          {protocol::Lsn{position}, protocol::Lsn{position}}};
}

inline cdc::SinkError error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const cdc::SinkError& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {cdc::SinkFailure::internal, ""};
}

// Writes into a sink, one unit a record, and adds up what comes back.
class KafkaDriver {
 public:
  explicit KafkaDriver(cdc::Sink& sink) : sink_(sink) {}

  void write(const cdc::EncodedEvent& event) {
    const auto written = sink_.write(event, next_++);
    expected += written.deliveries;
    held += written.bytes;
  }
  void write(const cdc::Record& one) {
    cdc::EncodedEvent event;
    event.record = one;
    write(event);
  }

  void collect() {
    cdc::Progress progress;
    sink_.collect(progress);
    for (const auto& delivery : progress.deliveries) {
      delivered += delivery.count;
      of_unit[delivery.transaction] += delivery.count;
    }
    held -= progress.freed_bytes;
    if (progress.bookmarked) bookmarked = *progress.bookmarked;
  }

  bool wait_until(const std::function<bool()>& reached, int seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!reached()) {
      if (std::chrono::steady_clock::now() > end) return false;
      pollfd ready{sink_.ready_fd(), POLLIN, 0};
      ::poll(&ready, 1, 100);
      collect();
    }
    return true;
  }
  bool wait_for_all(int seconds = 20) {
    return wait_until([this] { return delivered == expected; }, seconds);
  }

  std::size_t expected = 0;
  std::size_t delivered = 0;
  std::size_t held = 0;
  std::map<cdc::TransactionNumber, std::size_t> of_unit;
  protocol::Lsn bookmarked;

 private:
  cdc::Sink& sink_;
  cdc::TransactionNumber next_ = 0;
};

struct ReadRecord {
  std::int32_t partition = 0;
  bool has_key = false;
  std::string key;
  std::string value;
  std::int64_t timestamp_ms = 0;
  std::string key_change;  // header pgcourier.key_change
};

inline ReadRecord read_record(rd_kafka_message_t* message) {
  ReadRecord read;
  read.partition = message->partition;
  read.has_key = message->key != nullptr;
  if (read.has_key) read.key.assign(static_cast<const char*>(message->key), message->key_len);
  read.value.assign(static_cast<const char*>(message->payload), message->len);
  read.timestamp_ms = rd_kafka_message_timestamp(message, nullptr);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const void* value = nullptr;
    std::size_t size = 0;
    if (rd_kafka_header_get_last(headers, "pgcourier.key_change", &value, &size) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      read.key_change.assign(static_cast<const char*>(value), size);
    }
  }
  return read;
}

// All records of a topic, partition after partition, each in its order.
inline std::vector<ReadRecord> read_topic(const std::string& brokers, const std::string& topic,
                                          std::int32_t partitions) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
  rd_kafka_conf_set(conf, "enable.partition.eof", "true", nullptr, 0);
  rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", nullptr, 0);
  rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
  const sinks::ClientHandle consumer(rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0));
  const sinks::TopicHandle handle(rd_kafka_topic_new(consumer.get(), topic.c_str(), nullptr));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::vector<ReadRecord> records;
  for (std::int32_t partition = 0; partition < partitions; ++partition) {
    rd_kafka_consume_start(handle.get(), partition, RD_KAFKA_OFFSET_BEGINNING);
    while (true) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("no end of " + topic);
      const sinks::MessageHandle message(rd_kafka_consume(handle.get(), partition, 500));
      if (!message) continue;
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) break;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) records.push_back(read_record(message.get()));
    }
    rd_kafka_consume_stop(handle.get(), partition);
  }
  return records;
}

}  // namespace pgcourier::tests
