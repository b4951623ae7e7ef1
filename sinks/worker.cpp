#include "sinks/worker.hpp"

#include <poll.h>

#include <utility>

#include "sinks/worker_progress.hpp"

namespace pgcourier::sinks {
namespace {

// A chunk is handed over at this size at the latest. Large enough that a lock and a write(2) a
// chunk cost nothing, small enough that bytes are freed steadily.
constexpr std::size_t chunk_bytes = 256 * 1024;
// A buffer that one large row made larger than this is not kept.
constexpr std::size_t largest_kept = 2 * chunk_bytes;
constexpr std::size_t most_kept = 64;

std::unique_ptr<Chunk> make_chunk() {
  auto chunk = std::make_unique<Chunk>();
  chunk->bytes.reserve(chunk_bytes);
  return chunk;
}

}  // namespace

Waiting::Waiting() : end_fd_(make_eventfd()) {}

void Waiting::set_reason(std::string reason) {
  const std::lock_guard lock(mutex_);
  reason_ = std::move(reason);
}

std::string Waiting::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

bool Waiting::wait(std::chrono::milliseconds duration) const {
  pollfd end{end_fd_.get(), POLLIN, 0};
  return ::poll(&end, 1, static_cast<int>(duration.count())) <= 0;
}

Worker::Worker() : ready_fd_(make_eventfd()), current_(make_chunk()) {}

Worker::~Worker() { stop(true); }

void Worker::start(std::unique_ptr<Output> output) {
  output_ = std::move(output);
  thread_ = std::thread(&Worker::run, this);
}

cdc::Written Worker::append(std::string_view line, cdc::TransactionNumber transaction) {
  const auto bytes = line.size() + 1;
  if (!current_->bytes.empty() && current_->bytes.size() + bytes > chunk_bytes) flush();
  // Once the loop is back from what it does now, it collects, and so hands the chunk over: without
  // waiting for more, but with all that came in one read.
  if (current_->empty()) signal(ready_fd_);
  current_->bytes.append(line);
  current_->bytes.push_back('\n');
  add_delivery(current_->deliveries, transaction, 1);
  unit_open_ = true;
  return {.deliveries = 1, .bytes = bytes};
}

void Worker::end_unit(protocol::Lsn end_lsn) {
  if (!std::exchange(unit_open_, false)) return;  // a transaction without events for us
  if (current_->empty()) signal(ready_fd_);
  current_->units.push_back({current_->bytes.size(), end_lsn});
}

void Worker::advance(const cdc::Position& position) {
  const std::lock_guard lock(mutex_);
  advance_ = position;
  wake_.notify_one();
}

void Worker::flush() {
  const std::unique_lock lock(mutex_);
  hand_over(lock);
}

void Worker::hand_over(const std::unique_lock<std::mutex>&) {
  if (current_->empty()) return;
  queue_.push_back(std::move(current_));
  if (free_.empty()) {
    current_ = make_chunk();
  } else {
    current_ = std::move(free_.back());
    free_.pop_back();
  }
  wake_.notify_one();
}

void Worker::collect(cdc::Progress& progress) {
  clear_signal(ready_fd_);
  const std::unique_lock lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  move_progress(progress_, progress);
  // With chunks still waiting there is no hurry: the worker signals when it is through with them.
  if (queue_.empty() && !finishing_) hand_over(lock);
}

void Worker::finish() {
  stop(false);
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void Worker::stop(bool abandon) {
  if (!thread_.joinable()) return;
  {
    const std::unique_lock lock(mutex_);
    hand_over(lock);
    finishing_ = true;
    abandoned_ = abandon;
    wake_.notify_one();
  }
  waiting_.end();
  thread_.join();
}

cdc::SinkTotals Worker::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void Worker::run() {
  try {
    while (take()) {
      if (!taken_.empty()) {
        write_taken();
        report(output_->sync());
      }
      if (taken_advance_) report(output_->advance(*taken_advance_));
      const auto deadline = output_->deadline();
      if (deadline && *deadline <= Output::Clock::now()) output_->tick();
    }
    std::unique_lock lock(mutex_);
    if (abandoned_) return;
    lock.unlock();
    output_->finish();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    signal(ready_fd_);
  }
}

// Waits for work; false when there is none left to do.
bool Worker::take() {
  std::unique_lock lock(mutex_);
  const auto something = [this] { return finishing_ || !queue_.empty() || advance_; };
  if (const auto deadline = output_->deadline()) {
    wake_.wait_until(lock, *deadline, something);
  } else {
    wake_.wait(lock, something);
  }
  taken_.swap(queue_);
  taken_advance_ = std::exchange(advance_, std::nullopt);
  return !abandoned_ && (!finishing_ || !taken_.empty() || taken_advance_);
}

void Worker::write_taken() {
  for (auto& chunk : taken_) {
    output_->write(*chunk);
    checksum_.add_lines(chunk->bytes);
    add_deliveries(written_, chunk->deliveries);
    written_bytes_ += chunk->bytes.size();
    const auto freed = chunk->bytes.size();
    chunk->bytes.clear();
    chunk->units.clear();
    chunk->deliveries.clear();

    const std::lock_guard lock(mutex_);
    progress_.freed_bytes += freed;
    if (chunk->bytes.capacity() <= largest_kept && free_.size() < most_kept) {
      free_.push_back(std::move(chunk));
    }
    signal(ready_fd_);
    if (abandoned_) break;
  }
  taken_.clear();
}

void Worker::report(std::optional<protocol::Lsn> bookmarked) {
  const std::lock_guard lock(mutex_);
  add_deliveries(progress_.deliveries, written_);
  for (const auto& delivery : written_) {
    totals_.events += delivery.count;
    progress_.freed_records += delivery.count;
  }
  totals_.bytes += written_bytes_;
  totals_.checksum = checksum_.value();
  written_.clear();
  written_bytes_ = 0;
  if (bookmarked) progress_.bookmarked = bookmarked;
  signal(ready_fd_);
}

}  // namespace pgcourier::sinks
