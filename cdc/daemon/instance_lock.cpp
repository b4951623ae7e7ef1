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

StopError unusable(const std::filesystem::path& path, const std::error_code& why,
                   const char* remedy) {
  return {exit_not_permitted, path.string() + ": " + why.message() + "; " + remedy};
}

}  // namespace

std::variant<InstanceLock, LockHolder> InstanceLock::take(const std::filesystem::path& path,
                                                          const std::string& slot) {
  std::error_code no_folder;
  std::filesystem::create_directories(path.parent_path(), no_folder);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    const std::error_code not_opened(errno, std::generic_category());
    throw unusable(path, no_folder ? no_folder : not_opened,
                   "the folder must be writable for this user");
  }
  InstanceLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const std::error_code refused(errno, std::generic_category());
    if (refused != std::errc::operation_would_block) {
      throw unusable(path, refused, "the file system must support flock()");
    }
    return read_holder(fd);
  }
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
