// Records that Kafka can never take, and what is done with them (delivery.md 17).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/record.hpp"
#include "config/settings.hpp"
#include "sinks/kafka_memory.hpp"
#include "sinks/kafka_producer.hpp"

namespace pgcourier::sinks {

// A record larger than its topic takes is known before it is sent. One that a broker refuses takes
// its whole batch with it: the session ends, the next one sends each record by itself, and the one
// that is refused then is known to the session after that. So a bad record never takes its
// neighbours with it, and what comes later stays behind what came before.
//
// io thread; one a session.
class KafkaUndeliverable {
 public:
  KafkaUndeliverable(const config::KafkaSettings& settings, KafkaMemory& memory,
                     KafkaProducer& producer);

  // BLOCKING, at the start: where the dead letters go.
  void set_dead_letters(KafkaTopic& topic) { dead_letters_ = &topic; }

  // Why Kafka will not take the record; empty: as far as anybody knows it will.
  std::string problem_of(const KafkaTopic& topic, const KafkaRecord& record) const;

  // Where a record with such a problem goes instead; null: nowhere, it is skipped. Makes a dead
  // letter of it: the same key and value, and headers that say what it was. Throws SinkError where
  // the policy is to stop, or if not even the dead letters' topic takes it.
  KafkaTopic* divert(const KafkaTopic& topic, const std::string& problem, protocol::Lsn commit_lsn,
                     KafkaRecord& record, std::optional<DeadLetter::Raw> raw = std::nullopt);

  // How many were.
  std::uint64_t diverted() const { return diverted_; }

  // For the log.
  std::vector<std::string> take_warnings();

 private:
  const config::KafkaSettings& settings_;
  KafkaMemory& memory_;
  KafkaProducer& producer_;
  KafkaTopic* dead_letters_ = nullptr;
  std::uint64_t diverted_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace pgcourier::sinks
