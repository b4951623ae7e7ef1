#include "sinks/line_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using cdc::SinkFailure;
using Clock = std::chrono::steady_clock;

// A reader that is this slow is worth a line on the status page.
constexpr std::chrono::milliseconds patience{1000};

// Of a line that is longer than what a pipe takes at once.
constexpr std::size_t largest_piece = 256 * 1024;

std::string message(int error) { return std::generic_category().message(error); }

SinkError ended() {
  return {SinkFailure::unavailable, "stdout: ended while its reader takes nothing"};
}

// An own open file description of a pipe or terminal, so that it can be non-blocking without
// changing the one that others share. None for a socket, or a terminal of another user.
Fd reopen_nonblocking(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
    return {};
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  return Fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

}  // namespace

void LineStream::write(std::string_view lines, Waiting& waiting) {
  const auto held = lock(waiting);
  const WaitForRoom wait = [&] { wait_for_room(waiting); };
  open();
  write_rest(wait);
  std::string_view rest = lines;
  try {
    write_all(rest, wait);
  } catch (const SinkError&) {
    const auto written = lines.size() - rest.size();
    if (written > 0 && lines[written - 1] != '\n') rest_ = rest.substr(0, rest.find('\n') + 1);
    throw;
  }
}

bool LineStream::in_a_line() const {
  const std::lock_guard held(mutex_);
  return !rest_.empty();
}

void LineStream::end_line(Waiting& waiting) {
  const auto held = lock(waiting);
  write_rest([&] { wait_for_room(waiting); });
}

bool LineStream::end_line(std::chrono::milliseconds at_most) {
  const std::lock_guard held(mutex_);
  const auto deadline = Clock::now() + at_most;
  try {
    write_rest([&] {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
      pollfd room{used_, POLLOUT, 0};
      if (left.count() <= 0 || ::poll(&room, 1, static_cast<int>(left.count())) == 0) throw ended();
    });
  } catch (const SinkError&) {
    return false;
  }
  return true;
}

void LineStream::open() {
  if (used_ >= 0) return;
  own_ = reopen_nonblocking(fd_);
  used_ = own_ ? own_.get() : fd_;
  struct stat status {};
  takes_all_ = ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
}

// A pipe takes PIPE_BUF wholly or not at all (pipe(7)), so only a longer line is ever begun and not
// ended. A shared description blocks in write(2), but not for as much as poll() promised: PIPE_BUF.
std::string_view LineStream::piece_of(std::string_view rest) const {
  if (takes_all_ || rest.size() <= PIPE_BUF) return rest;
  const auto last_end = rest.rfind('\n', PIPE_BUF - 1);
  if (last_end != std::string_view::npos) return rest.substr(0, last_end + 1);
  if (!own_) return rest.substr(0, PIPE_BUF);
  const auto piece = rest.substr(0, largest_piece);
  return piece.substr(0, std::min(piece.find('\n'), piece.size() - 1) + 1);
}

void LineStream::write_all(std::string_view& rest, const WaitForRoom& wait) {
  while (!rest.empty()) {
    if (!own_) wait();
    const auto piece = piece_of(rest);
    const auto written = ::write(used_, piece.data(), piece.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw SinkError(SinkFailure::closed, "stdout: nobody reads any more");
    } else if (errno == EAGAIN) {
      wait();
    } else if (errno != EINTR) {
      throw SinkError(SinkFailure::unavailable, "stdout: " + message(errno));
    }
  }
}

void LineStream::write_rest(const WaitForRoom& wait) {
  std::string_view rest = rest_;
  try {
    write_all(rest, wait);
  } catch (const SinkError&) {
    rest_.erase(0, rest_.size() - rest.size());
    throw;
  }
  rest_.clear();
}

void LineStream::wait_for_room(Waiting& waiting) const {
  std::array<pollfd, 2> fds{{{used_, POLLOUT, 0}, {waiting.end_fd(), POLLIN, 0}}};
  for (bool stalled = false;; stalled = true) {
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(patience.count()));
    if (ready > 0 && fds[0].revents != 0) {
      if (stalled) waiting.set_reason({});
      return;
    }
    if (ready > 0) throw ended();
    if (ready == 0 && !stalled) waiting.set_reason("stdout: its reader takes nothing");
  }
}

std::unique_lock<std::timed_mutex> LineStream::lock(const Waiting& waiting) {
  std::unique_lock held(mutex_, std::defer_lock);
  while (!held.try_lock_for(std::chrono::milliseconds(50))) {
    if (!waiting.wait(std::chrono::milliseconds(0))) throw ended();
  }
  return held;
}

}  // namespace pgcourier::sinks
