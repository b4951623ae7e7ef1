// The thread of a sink that writes lines to a descriptor, and how they get there (delivery.md 15).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cdc/sink.hpp"
#include "sinks/record_checksum.hpp"
#include "sinks/worker_fd.hpp"

namespace pgcourier::sinks {

// Where a unit (transaction or non-transactional message) ends in a chunk.
struct UnitEnd {
  std::size_t offset = 0;  // just behind its last line; 0 if that was in the chunk before
  protocol::Lsn end_lsn;
};

// Lines on their way to the worker. Reused.
struct Chunk {
  std::string bytes;  // whole lines
  std::vector<UnitEnd> units;
  std::vector<cdc::Delivery> deliveries;

  bool empty() const { return bytes.empty() && units.empty(); }
};

// How an output waits on the worker's thread, for room on a disk or in a pipe.
class Waiting {
 public:
  Waiting();

  // Why nothing moves, for Sink::stalled_because(); empty: it moves again. Any thread.
  void set_reason(std::string reason);
  std::string reason() const;

  // Waits; false at once when the worker must end.
  bool wait(std::chrono::milliseconds duration) const;

  // Readable once the worker must end, to poll() beside another descriptor.
  int end_fd() const { return end_fd_.get(); }
  void end() const { signal(end_fd_); }

 private:
  Fd end_fd_;
  mutable std::mutex mutex_;
  std::string reason_;
};

// What is done with the lines. All functions run on the worker's thread and may throw, which ends
// the worker.
class Output {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Output() = default;

  virtual void write(const Chunk& chunk) = 0;

  // Makes durable what was written. Gives what a bookmark now covers, if there is one.
  virtual std::optional<protocol::Lsn> sync() = 0;

  // As Sink::advance(); gives what the bookmark now covers.
  virtual protocol::Lsn advance(const cdc::Position& position) = 0;

  // When tick() is wanted although nothing is written.
  virtual std::optional<Clock::time_point> deadline() const { return std::nullopt; }
  virtual void tick() {}

  // Nothing more comes; all was written and synced.
  virtual void finish() {}
};

// Takes lines on the io thread, hands them in chunks to its own thread, and gives back what became
// of them. While a chunk is written and synced the next ones fill, so that a slow disk makes large
// groups. The io thread takes a lock once a chunk, never once an event.
//
// All functions are for the io thread, but finish(), which may run beside collect().
class Worker {
 public:
  Worker();
  ~Worker();  // abrupt: what was not yet written is dropped
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // For outputs; lives as long as the worker.
  Waiting& waiting() { return waiting_; }
  const Waiting& waiting() const { return waiting_; }

  void start(std::unique_ptr<Output> output);

  cdc::Written append(std::string_view line, cdc::TransactionNumber transaction);
  void end_unit(protocol::Lsn end_lsn);
  void advance(const cdc::Position& position);
  void flush();

  int ready_fd() const { return ready_fd_.get(); }
  void collect(cdc::Progress& progress);  // throws what ended the worker

  // BLOCKING: writes and syncs what was taken, without waiting for room, and ends the thread.
  void finish();

  cdc::SinkTotals totals() const;

 private:
  void hand_over(const std::unique_lock<std::mutex>& lock);
  void stop(bool abandon);
  void run();
  bool take();
  void write_taken();
  void report(std::optional<protocol::Lsn> bookmarked);

  Waiting waiting_;
  Fd ready_fd_;

  // Of the io thread; finish() takes the chunk under the lock.
  std::unique_ptr<Chunk> current_;
  bool unit_open_ = false;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Under the lock:
  std::vector<std::unique_ptr<Chunk>> queue_;
  std::vector<std::unique_ptr<Chunk>> free_;
  std::optional<cdc::Position> advance_;
  cdc::Progress progress_;  // since the last collect()
  cdc::SinkTotals totals_;
  std::exception_ptr failure_;
  bool finishing_ = false;
  bool abandoned_ = false;

  // Of the worker's thread:
  std::unique_ptr<Output> output_;
  std::vector<std::unique_ptr<Chunk>> taken_;
  std::optional<cdc::Position> taken_advance_;
  std::vector<cdc::Delivery> written_;  // not yet durable
  std::size_t written_bytes_ = 0;
  RecordChecksum checksum_;

  std::thread thread_;
};

}  // namespace pgcourier::sinks
