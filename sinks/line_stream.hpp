// A descriptor that is given whole lines, and the line it has only the beginning of.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "sinks/worker.hpp"
#include "sinks/worker_fd.hpp"

namespace pgcourier::sinks {

// Lives as long as the descriptor is written to, so longer than a session's sinks: when one of them
// is abandoned in the middle of a line, the next one ends that line before it writes its own. Any
// thread; several sinks may share it. REQUIRES: SIGPIPE is ignored.
class LineStream {
 public:
  // `fd` stays open and is not set non-blocking: others may share it.
  explicit LineStream(int fd) : fd_(fd) {}

  // BLOCKING, until `waiting` ends it. Returns when write(2) has taken all. Throws SinkError:
  // `closed` for a pipe that nobody reads any more, else `unavailable`.
  void write(std::string_view lines, Waiting& waiting);

  // A line was begun and not ended.
  bool in_a_line() const;

  // BLOCKING, as write(). Ends the line.
  void end_line(Waiting& waiting);

  // BLOCKING, at most that long: the same for the end of the process. False: it stays half.
  bool end_line(std::chrono::milliseconds at_most);

 private:
  using WaitForRoom = std::function<void()>;  // throws SinkError when it is given up

  void open();
  std::string_view piece_of(std::string_view rest) const;
  void write_all(std::string_view& rest, const WaitForRoom& wait);
  void write_rest(const WaitForRoom& wait);
  void wait_for_room(Waiting& waiting) const;
  std::unique_lock<std::timed_mutex> lock(const Waiting& waiting);

  mutable std::timed_mutex mutex_;
  const int fd_;
  Fd own_;         // non-blocking, where that can be had without changing what others share
  int used_ = -1;  // own_ or fd_; -1: nothing was written yet
  bool takes_all_ = false;  // a regular file: in pieces of any size
  std::string rest_;        // of the line that was begun
};

}  // namespace pgcourier::sinks
