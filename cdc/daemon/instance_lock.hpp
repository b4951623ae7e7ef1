// Keeps two processes from using one folder at a time (delivery.md 7).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

namespace pgcourier::cdc::daemon {

// Who holds a lock, as the file says.
struct LockHolder {
  std::string slot;
  std::string pid;
};

// flock() on a file that names slot and process. Given back by the destructor, and by the system if
// the process dies; the file stays.
class InstanceLock {
 public:
  // The lock, or who has it. Makes the folder if it is missing. Throws StopError (77) if the file
  // can't be opened or locked.
  static std::variant<InstanceLock, LockHolder> take(const std::filesystem::path& path,
                                                     const std::string& slot);

  // Who has it now, if anybody; changes nothing.
  static std::optional<LockHolder> find_holder(const std::filesystem::path& path);

  InstanceLock(InstanceLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  InstanceLock& operator=(InstanceLock&& other) noexcept;
  ~InstanceLock();

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace pgcourier::cdc::daemon
