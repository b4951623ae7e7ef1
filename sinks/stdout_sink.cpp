#include "sinks/stdout_sink.hpp"

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

// A reader that is this slow is worth a line on the status page.
constexpr std::chrono::milliseconds patience{1000};

std::string message(int error) { return std::generic_category().message(error); }

// An own open file description of a pipe or terminal, so that it can be non-blocking without
// changing the one that others share. None for a socket, or a terminal of another user.
Fd reopen_nonblocking(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
    return {};
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  return Fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

class DescriptorOutput : public Output {
 public:
  DescriptorOutput(int fd, Waiting& waiting)
      : waiting_(waiting), own_(reopen_nonblocking(fd)), fd_(own_ ? own_.get() : fd) {
    // A shared description blocks in write(2), but not for as much as poll() promised: PIPE_BUF.
    struct stat status {};
    const bool file = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    at_once_ = own_ || file ? SSIZE_MAX : PIPE_BUF;
  }

  void write(const Chunk& chunk) override {
    std::string_view rest = chunk.bytes;
    while (!rest.empty()) {
      wait_for_room();
      const auto written = ::write(fd_, rest.data(), std::min(rest.size(), at_once_));
      if (written >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EPIPE) {
        throw SinkError(SinkFailure::closed, "stdout: nobody reads any more");
      } else if (errno != EINTR && errno != EAGAIN) {
        throw SinkError(SinkFailure::unavailable, "stdout: " + message(errno));
      }
    }
  }

  std::optional<protocol::Lsn> sync() override { return std::nullopt; }
  protocol::Lsn advance(const cdc::Position& position) override { return position.position; }

 private:
  void wait_for_room() {
    std::array<pollfd, 2> fds{{{fd_, POLLOUT, 0}, {waiting_.end_fd(), POLLIN, 0}}};
    for (bool stalled = false;; stalled = true) {
      const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(patience.count()));
      if (ready > 0 && fds[0].revents != 0) {
        if (stalled) waiting_.set_reason({});
        return;
      }
      if (ready > 0) {
        throw SinkError(SinkFailure::unavailable, "stdout: ended while its reader takes nothing");
      }
      if (ready == 0 && !stalled) waiting_.set_reason("stdout: its reader takes nothing");
    }
  }

  Waiting& waiting_;
  Fd own_;
  int fd_;
  std::size_t at_once_ = PIPE_BUF;
};

}  // namespace

void StdoutSink::start(const cdc::Bookmark&) {
  worker_.start(std::make_unique<DescriptorOutput>(fd_, worker_.waiting()));
}

}  // namespace pgcourier::sinks
