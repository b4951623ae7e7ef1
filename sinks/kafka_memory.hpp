// What one session of a Kafka sink learns for the next ones, of the same run.
#pragma once

namespace pgcourier::sinks {

struct KafkaMemory {
  // A source transaction took longer than transaction.timeout.ms: the brokers' maximum from now on.
  bool needs_longest_transactions = false;
};

}  // namespace pgcourier::sinks
