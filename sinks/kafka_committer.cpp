#include "sinks/kafka_committer.hpp"

#include <utility>

namespace pgcourier::sinks {

namespace {

constexpr int abort_ms = 5000;

}  // namespace

KafkaCommitter::~KafkaCommitter() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void KafkaCommitter::start(rd_kafka_t* producer) {
  producer_ = producer;
  thread_ = std::thread(&KafkaCommitter::run, this);
}

void KafkaCommitter::ask(Call call) {
  const std::lock_guard lock(mutex_);
  asked_ = call;
  wake_.notify_one();
}

void KafkaCommitter::wake_at(Clock::time_point when) {
  const std::lock_guard lock(mutex_);
  if (alarm_ == when) return;
  alarm_ = when;
  wake_.notify_one();
}

std::optional<ErrorHandle> KafkaCommitter::take_ended() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ended_, std::nullopt);
}

void KafkaCommitter::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (const Call call = std::exchange(asked_, Call::none); call != Call::none) {
      lock.unlock();
      ErrorHandle error = make(call);
      lock.lock();
      ended_ = std::move(error);
      signal(wake_fd_);
    } else if (!alarm_) {
      wake_.wait(lock);
    } else if (const auto until = *alarm_;
               wake_.wait_until(lock, until) == std::cv_status::timeout && alarm_ == until) {
      alarm_.reset();
      signal(wake_fd_);
    }
  }
}

// Without a time-out of ours, after which librdkafka and we would not agree on what is open (-1:
// what is left of transaction.timeout.ms). One that came to nothing may be called again.
ErrorHandle KafkaCommitter::make(Call call) {
  if (call == Call::abort) return ErrorHandle(rd_kafka_abort_transaction(producer_, abort_ms));
  for (;;) {
    ErrorHandle error(rd_kafka_commit_transaction(producer_, -1));
    if (!error) return ErrorHandle(rd_kafka_begin_transaction(producer_));
    if (rd_kafka_error_is_retriable(error.get()) == 0) return error;
    const std::lock_guard lock(mutex_);
    if (stopping_) return error;
  }
}

}  // namespace pgcourier::sinks
