#include "sinks/worker_fd.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace pgcourier::sinks {

Fd make_eventfd() {
  Fd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!event) throw std::system_error(errno, std::generic_category(), "eventfd");
  return event;
}

// Neither fails but for a counter at its limit, or at zero: then the signal stands as it should.
void signal(const Fd& event) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event.get(), &one, sizeof(one));
}

void clear_signal(const Fd& event) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(event.get(), &count, sizeof(count));
}

}  // namespace pgcourier::sinks
