#include "cdc/daemon/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "cdc/daemon/stop_error.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// "shop 4711\n"
LockHolder read_holder(int fd) {
  std::array<char, 256> text{};
  const auto length = ::pread(fd, text.data(), text.size(), 0);
  const std::string_view line(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos) return {};
  const auto end = line.find('\n', blank);
  return {std::string(line.substr(0, blank)), std::string(line.substr(blank + 1, end - blank - 1))};
}

void write_holder(int fd, const std::string& slot) {
  const std::string line = slot + ' ' + std::to_string(::getpid()) + '\n';
  // Only for messages: a lock without its name is still a lock.
  if (::ftruncate(fd, 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(fd, line.data(), line.size(), 0);
  }
}

}  // namespace

std::variant<InstanceLock, LockHolder> InstanceLock::take(const std::filesystem::path& path,
                                                          const std::string& slot) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    throw StopError(exit_not_permitted, path.string() + ": " +
                                            std::generic_category().message(errno) +
                                            "; the folder must be writable for this user");
  }
  InstanceLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return read_holder(fd);
  write_holder(fd, slot);
  return lock;
}

std::optional<LockHolder> InstanceLock::find_holder(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const InstanceLock opened(fd);
  if (::flock(fd, LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return read_holder(fd);
}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace pgcourier::cdc::daemon
