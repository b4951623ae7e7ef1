#include "tests/support/power_cut/journal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <sstream>

// Raw system calls throughout: the functions of these names are the shim's own.
namespace pgcourier::power_cut {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

constexpr const char* fault_names[] = {"ENOSPC_AFTER", "ENOSPC_UNTIL", "EIO_FSYNC", "EIO_WRITE",
                                       "FSYNC_MS"};

int raw_open(const char* path, int flags) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, 0600));
}

void raw_write(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::syscall(SYS_write, fd, bytes.data(), bytes.size());
    if (written <= 0) std::abort();  // a journal with a hole would tell lies
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string target_of(const std::string& link) {
  std::string target(PATH_MAX, '\0');
  const auto size = ::readlink(link.c_str(), target.data(), target.size());
  target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return target;
}

}  // namespace

Journal& Journal::get() {
  static Journal* journal = new Journal;  // outlives every thread
  return *journal;
}

Journal::Journal() {
  const auto root = environment("POWER_CUT_ROOT");
  const auto path = environment("POWER_CUT_JOURNAL");
  if (root.empty()) return;
  root_ = std::filesystem::weakly_canonical(root).native();
  control_ = environment("POWER_CUT_CONTROL");
  for (const auto* name : fault_names) {
    const auto value = environment((std::string("POWER_CUT_") + name).c_str());
    if (!value.empty()) faults_.set(name, value);
  }
  if (path.empty()) return;
  fd_ = raw_open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
  if (fd_ < 0) std::abort();
  struct stat status {};
  if (::fstat(fd_, &status) == 0 && status.st_size == 0) record_base(root_);
}

void Faults::set(std::string_view name, const std::string& value) {
  const std::int64_t number = std::strtoll(value.c_str(), nullptr, 10);
  if (name == "ENOSPC_AFTER") room = number;
  if (name == "ENOSPC_UNTIL") room_again = value;
  if (name == "EIO_FSYNC") failing_sync = number;
  if (name == "EIO_WRITE") failing_write = number;
  if (name == "FSYNC_MS") sync_ms = number;
}

Faults& Journal::faults() {
  struct stat status {};
  if (control_.empty() || ::stat(control_.c_str(), &status) != 0 ||
      status.st_ino == control_read_) {
    return faults_;
  }
  control_read_ = status.st_ino;
  faults_ = {};
  std::istringstream lines(content_of(control_));
  std::string name;
  std::string value;
  while (lines >> name >> value) faults_.set(name, value);
  return faults_;
}

void Journal::made(std::string_view fault) const {
  if (control_.empty()) return;
  const int fd = raw_open((control_ + ".made").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
  if (fd < 0) std::abort();
  raw_write(fd, std::string(fault) + "\n");
  ::syscall(SYS_close, fd);
}

// What is there before the first operation is taken for durable.
void Journal::record_base(const std::string& folder) {
  DIR* opened = ::opendir(folder.c_str());
  if (opened == nullptr) return;
  while (const dirent* entry = ::readdir(opened)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const auto path = folder + "/" + name;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) continue;
    const auto ino = "\"ino\":" + std::to_string(status.st_ino) + ",\"path\":" + json_text(path);
    if (S_ISDIR(status.st_mode)) {
      record("\"op\":\"base_folder\"," + ino);
      record_base(path);
    } else if (S_ISREG(status.st_mode)) {
      record("\"op\":\"base\"," + ino, content_of(path));
    }
  }
  ::closedir(opened);
}

std::string Journal::absolute(int folder, const char* path) const {
  if (root_.empty() || path == nullptr) return {};
  std::string text = path;
  if (text.empty() || text[0] != '/') {
    text = (folder == AT_FDCWD ? target_of("/proc/self/cwd")
                               : target_of("/proc/self/fd/" + std::to_string(folder))) +
           "/" + text;
  }
  return std::filesystem::path(text).lexically_normal().native();
}

std::string Journal::watched(int fd) const {
  if (root_.empty() || fd == fd_) return {};
  auto path = target_of("/proc/self/fd/" + std::to_string(fd));
  return watches(path) ? path : std::string();
}

bool Journal::watches(std::string_view path) const {
  if (root_.empty() || path.substr(0, root_.size()) != root_) return false;
  return path.size() == root_.size() || path[root_.size()] == '/';
}

void Journal::record(const std::string& members, std::string_view payload) {
  if (fd_ < 0) return;
  std::string text = "{" + members;
  if (!payload.empty()) text += ",\"len\":" + std::to_string(payload.size());
  text += "}\n";
  text += payload;
  raw_write(fd_, text);
}

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string inode_of(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return "\"ino\":" + std::to_string(status.st_ino);
}

std::string content_of(const std::string& path) {
  std::string content;
  const int fd = raw_open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return content;
  char block[65536];
  for (;;) {
    const auto got = ::syscall(SYS_read, fd, block, sizeof(block));
    if (got <= 0) break;
    content.append(block, static_cast<std::size_t>(got));
  }
  ::syscall(SYS_close, fd);
  return content;
}

}  // namespace pgcourier::power_cut
