// Records that wait for the next Kafka transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "protocol/lsn.hpp"
#include "sinks/kafka_producer.hpp"

namespace pgcourier::sinks {

// First in, first out; copies what the records show. Bounded by limits.in_flight_bytes, as what is
// in librdkafka's queues is.
class KafkaHeld {
 public:
  // A record, or (without a topic) the end of a unit.
  struct Item {
    KafkaTopic* topic = nullptr;
    KafkaRecord record;  // its views live until pop()
    cdc::TransactionNumber transaction = 0;
    protocol::Lsn end_lsn;
  };

  void push(KafkaTopic& topic, const KafkaRecord& record, cdc::TransactionNumber transaction);
  void push_end(protocol::Lsn end_lsn);

  bool empty() const { return items_.empty(); }
  // REQUIRES: not empty().
  Item front() const;
  void pop();

 private:
  struct Stored {
    Item item;
    std::size_t key_size = 0;
    std::size_t value_size = 0;
  };

  std::deque<Stored> items_;
  std::string bytes_;      // key and value of each record in turn
  std::size_t first_ = 0;  // of bytes_, where those of the first one begin
};

}  // namespace pgcourier::sinks
