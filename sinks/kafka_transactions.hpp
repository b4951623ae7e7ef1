// Exactly once: Kafka transactions around whole source transactions (delivery.md 14).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "sinks/kafka_committer.hpp"
#include "sinks/kafka_held.hpp"
#include "sinks/kafka_memory.hpp"
#include "sinks/kafka_producer.hpp"

namespace pgcourier::sinks {

// One Kafka transaction is always open. When enough source transactions are in it, or enough time
// has passed, it is *sealed* with the bookmark as its last record; when the brokers have
// acknowledged all of it, it is *committed*, and only then is any of it reported. What comes in
// between is held for the next one.
//
// A stream that falls quiet is not made to wait: then the transaction is sealed as soon as
// `transaction.every` has passed since the last one was.
//
// io thread, but where it says BLOCKING.
class KafkaTransactions {
 public:
  using Clock = std::chrono::steady_clock;
  // Produces the bookmark's record.
  using SendBookmark = std::function<void(const cdc::Position& position)>;

  KafkaTransactions(const config::KafkaSettings& settings, KafkaProducer& producer,
                    KafkaMemory& memory, SendBookmark send_bookmark);

  // BLOCKING. Fences whoever had the transactional.id, ends what he left open, and opens the first
  // transaction.
  void init();
  // BLOCKING. A transaction with the bookmark alone.
  void commit_bookmark(const cdc::Position& position);

  // As those of cdc::Sink; write() gives the bytes held.
  std::size_t write(KafkaTopic& topic, const KafkaRecord& record,
                    cdc::TransactionNumber transaction);
  void end_unit(protocol::Lsn end_lsn);
  void advance(const cdc::Position& position);
  void stop_lingering() { quiet_ = true; }
  void flush() { flushing_ = true; }
  void collect(cdc::Progress& progress);
  bool waits_for_more() const;
  std::string stalled_because() const;
  // BLOCKING: what is not whole is given up.
  void close();

  // Of committed transactions.
  std::uint64_t events() const { return committed_events_; }
  std::uint64_t bytes() const { return committed_bytes_; }

 private:
  enum class State { open, sealed, committing };

  void take_reports(cdc::Progress& progress);
  void send(KafkaTopic& topic, const KafkaRecord& record, cdc::TransactionNumber transaction);
  void ended(protocol::Lsn end_lsn);
  void look_at_clock(Clock::time_point now);
  void seal(Clock::time_point now);
  void committed(cdc::Progress& progress);
  void feed();
  [[noreturn]] void too_long(Clock::time_point now);
  // The user's transaction.timeout.ms holds, whatever the brokers would allow.
  bool timeout_is_given() const;
  // Whether the next session may have another time-out than this one.
  bool takes_longest_from_now_on();

  const config::KafkaSettings& settings_;
  KafkaProducer& producer_;
  KafkaMemory& memory_;
  const SendBookmark send_bookmark_;
  KafkaCommitter committer_;
  std::chrono::milliseconds timeout_{0};  // transaction.timeout.ms

  State state_ = State::open;
  KafkaHeld held_;
  bool quiet_ = false;     // nothing more is on its way just now
  bool flushing_ = false;  // nothing more will come
  bool due_ = false;       // to be sealed when the open unit ends

  // Of the open transaction:
  std::size_t records_ = 0;
  bool unit_open_ = false;  // the last record's unit has not ended
  cdc::Position reached_;   // by what is in it
  cdc::Position wanted_;    // by advance()
  Clock::time_point begun_{};
  std::size_t records_then_ = 0;  // at the last look at the clock
  Clock::time_point fed_at_{};

  Clock::time_point sealed_at_{};
  cdc::Position covered_;  // by the last bookmark
  std::vector<cdc::Delivery> deliveries_;
  std::uint64_t committed_events_ = 0;
  std::uint64_t committed_bytes_ = 0;
};

}  // namespace pgcourier::sinks
