// What one session of a Kafka sink learns for the next ones, of the same run.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>

namespace pgcourier::sinks {

struct KafkaMemory {
  // A source transaction took longer than transaction.timeout.ms: the brokers' maximum from now on.
  bool needs_longest_transactions = false;

  // A broker refused a batch, and only by themselves do its records show which one it meant.
  bool sends_singly = false;
  // Fingerprints of the records that a broker refused when they were sent by themselves.
  std::set<std::uint64_t> refused;
};

// Tells a record from every other one: its value holds its position.
std::uint64_t fingerprint(std::string_view topic, std::string_view key, std::string_view value);

}  // namespace pgcourier::sinks
