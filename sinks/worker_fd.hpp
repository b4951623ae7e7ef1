// A file descriptor with an owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace pgcourier::sinks {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  // Closes now.
  void reset() { Fd().swap_with(*this); }

 private:
  void swap_with(Fd& other) { std::swap(fd_, other.fd_); }

  int fd_ = -1;
};

// A non-blocking eventfd. Throws std::system_error.
Fd make_eventfd();

// Makes an eventfd readable, and unreadable again.
void signal(const Fd& event);
void clear_signal(const Fd& event);

}  // namespace pgcourier::sinks
