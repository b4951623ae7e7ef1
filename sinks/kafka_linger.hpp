// Ends librdkafka's linger early, without blocking the io thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace pgcourier::sinks {

// linger.ms is fixed once a producer is made, and the only call that ends a linger, rd_kafka_flush,
// does so only while it lasts: a thread of its own stays in it until all is acknowledged.
class KafkaLinger {
 public:
  KafkaLinger() = default;
  ~KafkaLinger();  // waits for the call it is in: at most as long as one may last
  KafkaLinger(const KafkaLinger&) = delete;
  KafkaLinger& operator=(const KafkaLinger&) = delete;

  // `producer` must outlive this.
  void start(rd_kafka_t* producer);

  // What was produced until now is sent at once. Never blocks.
  void end();

 private:
  void run();

  rd_kafka_t* producer_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pgcourier::sinks
