// When to read the replication stream next: at once, when the socket says so, or after a short
// sleep.
#pragma once

#include <chrono>
#include <cstddef>

namespace pgcourier::replication {

// The walsender makes one send() per change. A client that waits on the socket is woken by each of
// them, and the waking costs the *server* more than all the rest; one that sleeps a millisecond
// without waiting on the socket, and then takes all there is, makes the server two to three times
// faster (docs/ARCHITECTURE.md). So: wait while the stream is quiet, which keeps a lone transaction
// fast; sleep while it is busy. Knows neither socket nor clock.
class ReadPolicy {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    // One sleep. Longer, and the receive window closes: then the server waits too.
    std::chrono::microseconds sleep{1000};
    // A read that gave as much is followed by the next at once: the window must be kept open.
    std::size_t plenty_bytes = 256 * 1024;
    // So many reads within one window of `sleep` are a busy stream …
    int busy_reads = 8;
    // … until a sleep brings less than this: hardly anybody was spared a wake-up.
    std::size_t quiet_bytes = 1024;
    // A pause of the server's no longer than this is not the end of a busy stream: other work may
    // have kept it from its processor.
    std::chrono::microseconds memory{20'000};
  };

  ReadPolicy() = default;
  explicit ReadPolicy(const Limits& limits) : limits_(limits) {}

  // A read gave `bytes`; 0: nothing was there.
  void after_read(std::size_t bytes, Clock::time_point now);

  // How long to leave the socket alone before the next read; zero: read now, and wait on the socket
  // if nothing is there. The time since the last read, spent on the data, counts.
  Clock::duration pause(Clock::time_point now) const;

  bool coalescing() const { return busy_; }

 private:
  Limits limits_;
  bool busy_ = false;
  bool productive_ = false;        // a sleep of this busy time brought much
  Clock::time_point busy_before_;  // until when it was busy, and productive
  int reads_ = 0;                  // in the window that began at window_start_
  Clock::time_point window_start_;
  Clock::time_point last_read_;
  std::size_t last_bytes_ = 0;
};

}  // namespace pgcourier::replication
