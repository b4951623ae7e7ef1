// librdkafka's producer, driven from the io thread without a polling thread of ours.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "sinks/kafka_client.hpp"
#include "sinks/kafka_handles.hpp"
#include "sinks/kafka_linger.hpp"
#include "sinks/kafka_memory.hpp"
#include "sinks/kafka_topic.hpp"
#include "sinks/worker_fd.hpp"

namespace pgcourier::sinks {

// Headers of a record that went to the dead letters instead of its topic.
struct DeadLetter {
  // Of a record that could not be encoded: its value is the server's message, which has none of it.
  struct Raw {
    std::string lsn;
    std::string seq;
  };

  std::string error;
  std::string topic;
  std::string schema;  // both empty for a message
  std::string table;
  std::string commit_lsn;
  std::optional<Raw> raw;
};

// What is handed to librdkafka for one record; the views live until produce() returns.
struct KafkaRecord {
  std::int32_t partition = by_partitioner;
  bool has_key = false;
  std::string_view key;
  std::string_view value;
  std::int64_t timestamp_ms = 0;     // 0: now
  const char* key_change = nullptr;  // value of the header pgcourier.key_change
  std::shared_ptr<const DeadLetter> dead_letter;
};

// What collect() found.
struct KafkaReports {
  std::vector<cdc::Delivery>* deliveries = nullptr;
  std::size_t freed_bytes = 0;
  std::size_t freed_records = 0;
  bool bookmark_acknowledged = false;
};

class KafkaProducer {
 public:
  KafkaProducer(const config::KafkaSettings& settings, KafkaMemory& memory);
  // Gives up what is queued and on its way, then waits for librdkafka's threads.
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  // BLOCKING, as drain(); collect() may be called meanwhile.
  // `own`: properties beside those of every producer of ours.
  void open(const std::string& client_id, KafkaProperties own = {});
  void drain();

  // BLOCKING: waits a moment for the topic's metadata, so that the first record goes at once.
  KafkaTopic& add_topic(const std::string& topic, const std::string& schema,
                        const std::string& table, std::int32_t partitions);
  KafkaTopic* find_topic(const std::string& topic);
  // What a property is in the end, librdkafka's defaults included.
  std::string property(const char* key) const;

  int ready_fd() const { return wake_.get(); }
  const Fd& wake() const { return wake_; }
  rd_kafka_t* client() const { return client_.get(); }

  // Why the topic can't take the record; empty: it can, or only the broker knows.
  std::string size_problem(const KafkaTopic& topic, const KafkaRecord& record) const;

  // Copies the record into librdkafka's queue; returns the bytes held until it is acknowledged.
  // Throws SinkError.
  std::size_t produce(KafkaTopic& topic, const KafkaRecord& record,
                      cdc::TransactionNumber transaction);

  // Takes all reports. Throws SinkError for a record or a producer that failed: the session is
  // over.
  void collect(KafkaReports& reports);

  // For what is not reported to anybody any more.
  void drop_reports();

  // Throws SinkError if a call of librdkafka gave an error.
  void require(const ErrorHandle& error, const std::string& doing);

  // Ends the linger of what is queued. Never blocks.
  void end_linger();

  // Records that are queued or on their way.
  std::size_t unacknowledged() const { return unacknowledged_; }
  std::uint64_t events() const { return events_acknowledged_; }
  std::uint64_t bytes() const { return bytes_acknowledged_; }
  // As cdc::Sink says.
  std::string stalled_because() const;
  // What the brokers, or the way to them, last had to say.
  const std::string& trouble() const { return trouble_.text(); }

 private:
  void take_reports(rd_kafka_event_t* event, KafkaReports& reports);
  void take_error(rd_kafka_event_t* event);
  void fail(cdc::SinkFailure failure, const std::string& what);
  rd_kafka_resp_err_t cause_of(rd_kafka_resp_err_t error) const;
  cdc::SinkFailure failure_of(rd_kafka_resp_err_t error) const;
  void refused(const KafkaTopic& topic, const rd_kafka_message_t& message, const std::string& what);

  const config::KafkaSettings& settings_;
  KafkaMemory& memory_;
  const bool compressed_;
  Fd wake_;  // librdkafka writes to it: outlives the client, as the topics' opaques do
  // Grows while add_topic() runs; the mutex lets stalled_because() look meanwhile.
  std::map<std::string, std::unique_ptr<KafkaTopic>> topics_;
  mutable std::mutex topics_mutex_;
  ClientHandle client_;
  QueueHandle queue_;
  KafkaLinger linger_;  // uses client_: ends before it
  std::size_t unacknowledged_ = 0;
  bool lingers_ = false;              // something was produced since end_linger()
  std::atomic<bool> opened_ = false;  // client_ and queue_ are there for the io thread

  KafkaTrouble trouble_;
  std::optional<cdc::SinkError> failure_;
  bool singly_ = false;  // of this session
  std::uint64_t events_acknowledged_ = 0;
  std::uint64_t bytes_acknowledged_ = 0;
};

}  // namespace pgcourier::sinks
