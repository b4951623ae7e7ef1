#include "sinks/kafka_linger.hpp"

#include <utility>

namespace pgcourier::sinks {

namespace {

// Of one call. A broker that takes longer lets its batches grow.
constexpr int longest_ms = 100;

}  // namespace

KafkaLinger::~KafkaLinger() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void KafkaLinger::start(rd_kafka_t* producer) {
  producer_ = producer;
  thread_ = std::thread(&KafkaLinger::run, this);
}

void KafkaLinger::end() {
  const std::lock_guard lock(mutex_);
  wanted_ = true;
  wake_.notify_one();
}

void KafkaLinger::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return wanted_ || stopping_; });
      if (stopping_) return;
      wanted_ = false;
    }
    rd_kafka_flush(producer_, longest_ms);
  }
}

}  // namespace pgcourier::sinks
