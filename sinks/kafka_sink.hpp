// Records to Kafka: idempotent producer, acks=all, a bookmark topic (delivery.md 8, 13, 16, 17);
// exactly once, in transactions (14).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "sinks/kafka_admin.hpp"
#include "sinks/kafka_bookmark.hpp"
#include "sinks/kafka_producer.hpp"
#include "sinks/kafka_topic.hpp"
#include "sinks/kafka_transactions.hpp"
#include "sinks/kafka_undeliverable.hpp"
#include "sinks/record_checksum.hpp"

namespace pgcourier::sinks {

// Threads as cdc::Sink says. Two clients of librdkafka: `admin_` belongs to the blocking functions,
// `producer_` to the io thread's. The destructor gives up what is not acknowledged and ends their
// threads, which can take a moment: call it on a worker thread.
class KafkaSink final : public cdc::Sink {
 public:
  // `source` tells which topics beside those of tables are made at the start. `memory` outlives the
  // sink.
  KafkaSink(const config::KafkaSettings& settings, const config::Source& source,
            const std::string& name, KafkaMemory& memory);

  const std::string& id() const override { return settings_.id; }
  std::optional<cdc::Bookmark> peek_bookmark() override;
  bool keeps_bookmark() const override { return true; }
  std::optional<cdc::Bookmark> open() override;
  void start(const cdc::Bookmark& bookmark) override;
  void expect_tables(const cdc::TableNames& tables) override;
  void prepare(const cdc::Relation& relation) override;
  cdc::Written write(const cdc::EncodedEvent& event, cdc::TransactionNumber transaction) override;
  cdc::Written write_unencodable(const cdc::UnencodableEvent& event,
                                 cdc::TransactionNumber transaction) override;
  void commit(cdc::TransactionNumber transaction, protocol::Lsn end_lsn) override;
  void advance(const cdc::Position& position) override;
  void stop_lingering() override;
  void flush() override;
  int ready_fd() const override { return producer_.ready_fd(); }
  void collect(cdc::Progress& progress) override;
  void close() override;
  cdc::SinkTotals totals() const override;
  bool waits_for_more() const override;
  std::vector<std::string> take_warnings() override { return undeliverable_.take_warnings(); }
  std::string stalled_because() const override;

 private:
  void open_producer();
  KafkaAdmin& admin();
  std::optional<cdc::Bookmark> read_bookmark();
  void check_position_topic();
  // The topic, made if need be, ready for records. Throws SinkError.
  KafkaTopic& open_topic(const std::string& topic, const std::string& schema,
                         const std::string& table, const TopicConfig& config = {});
  TopicState find_or_create(const std::string& topic, std::int32_t partitions,
                            const TopicConfig& config);
  void read_limit(KafkaTopic& topic);
  std::size_t produce(const cdc::Record& record, cdc::TransactionNumber transaction,
                      const char* key_change, std::size_t& deliveries);
  KafkaTopic& topic_of(const cdc::Record& record);
  std::size_t hand_over(KafkaTopic& topic, KafkaRecord& record, cdc::TransactionNumber transaction,
                        protocol::Lsn commit_lsn, std::size_t& deliveries);
  std::size_t send(KafkaTopic* topic, const KafkaRecord& record, cdc::TransactionNumber transaction,
                   std::size_t& deliveries);
  void send_position();
  void send_bookmark(const cdc::Position& position);

  const config::KafkaSettings settings_;
  const std::string name_;
  KafkaMemory& memory_;
  // A topic of no table. Its troubles wait for the first record: there may never be one.
  struct OwnTopic {
    bool wanted = false;
    std::string name;
    std::string unwanted;  // what is wrong when a record comes nevertheless
    KafkaTopic* topic = nullptr;
    std::string problem = {};
  };
  OwnTopic messages_;
  OwnTopic outcomes_;
  const bool lingers_as_told_;  // the user's linger.ms holds for a quiet stream too

  std::unique_ptr<KafkaAdmin> admin_;
  KafkaProducer producer_;
  KafkaUndeliverable undeliverable_;
  std::optional<KafkaTransactions> transactions_;  // exactly once

  std::vector<KafkaTopic*> by_version_;  // Relation::version → topic
  KafkaTopic* position_topic_ = nullptr;

  // As read last; started_with_ is what this session's records go on from.
  std::optional<KafkaBookmark> known_;
  bool known_is_the_last_record_ = false;
  KafkaBookmark started_with_;
  std::optional<cdc::Position> position_wanted_;
  std::optional<cdc::Position> position_on_its_way_;

  RecordChecksum checksum_;
};

}  // namespace pgcourier::sinks
