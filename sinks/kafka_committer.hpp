// The end of a Kafka transaction, without blocking the io thread (delivery.md 15).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "sinks/kafka_handles.hpp"
#include "sinks/worker_fd.hpp"

namespace pgcourier::sinks {

// A thread that ends transactions and tells the time. Whoever waits for it must go on taking the
// producer's events: librdkafka counts a record as queued until its report is taken.
class KafkaCommitter {
 public:
  using Clock = std::chrono::steady_clock;

  // `wake` is signalled when take_ended() gives something, and at wake_at().
  explicit KafkaCommitter(const Fd& wake) : wake_fd_(wake) {}
  // Waits for the call it is in: at most what is left of transaction.timeout.ms.
  ~KafkaCommitter();
  KafkaCommitter(const KafkaCommitter&) = delete;
  KafkaCommitter& operator=(const KafkaCommitter&) = delete;

  // `producer` must outlive this. REQUIRES: a transaction is open.
  void start(rd_kafka_t* producer);

  // Commits the open transaction and begins the next one.
  void commit() { ask(Call::commit); }
  // Gives up the open transaction; none is open afterwards.
  void abort() { ask(Call::abort); }

  // What became of the last call, once it has ended: a null handle is success.
  std::optional<ErrorHandle> take_ended();

  void wake_at(Clock::time_point when);

 private:
  enum class Call { none, commit, abort };

  void ask(Call call);
  void run();
  ErrorHandle make(Call call);

  const Fd& wake_fd_;
  rd_kafka_t* producer_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under the lock:
  Call asked_ = Call::none;
  std::optional<Clock::time_point> alarm_;
  std::optional<ErrorHandle> ended_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace pgcourier::sinks
