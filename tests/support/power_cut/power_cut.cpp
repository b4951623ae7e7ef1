// LD_PRELOAD: journals what a program does to the files below POWER_CUT_ROOT, and makes some of it
// fail. power_cut.py turns the journal into what a power cut may leave. See README.md.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/support/power_cut/journal.hpp"

namespace {

using pgcourier::power_cut::inode_of;
using pgcourier::power_cut::Journal;
using pgcourier::power_cut::json_text;
using Lock = std::lock_guard<std::mutex>;

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::string path_member(const std::string& path) { return ",\"path\":" + json_text(path); }

int open_watched(int folder, const char* path, int flags, mode_t mode) {
  static auto* const next = real<int(int, const char*, int, ...)>("openat");
  auto& journal = Journal::get();
  const auto full = journal.absolute(folder, path);
  if (!journal.watches(full) || (flags & O_ACCMODE) == O_RDONLY) {
    return next(folder, path, flags, mode);
  }
  const Lock lock(journal.mutex);
  struct stat before {};
  const bool was_there = ::lstat(full.c_str(), &before) == 0;
  const int fd = next(folder, path, flags, mode);
  if (fd < 0) return fd;
  const int error = errno;
  if (!was_there) {
    journal.record("\"op\":\"create\"," + inode_of(fd) + path_member(full));
  } else if ((flags & O_TRUNC) != 0 && before.st_size > 0) {
    journal.record("\"op\":\"truncate\"," + inode_of(fd) + ",\"size\":0");
  }
  errno = error;
  return fd;
}

// How much of `size` bytes may be written now; -1 with errno set if none.
ssize_t allowed(Journal& journal, std::size_t size) {
  auto& faults = journal.faults();
  if (faults.failing_write > 0 && --faults.failing_write == 0) {
    journal.made("EIO_WRITE");
    errno = EIO;
    return -1;
  }
  if (faults.room < 0) return static_cast<ssize_t>(size);
  if (!faults.room_again.empty() && ::access(faults.room_again.c_str(), F_OK) == 0) {
    faults.room = -1;
    return static_cast<ssize_t>(size);
  }
  if (faults.room == 0 && size > 0) {
    journal.made("ENOSPC");
    errno = ENOSPC;
    return -1;
  }
  const auto taken = std::min(static_cast<std::int64_t>(size), faults.room);
  faults.room -= taken;
  return static_cast<ssize_t>(taken);
}

// `offset` −1: where the descriptor stands.
ssize_t write_watched(int fd, const void* bytes, std::size_t size, off_t offset) {
  static auto* const next = real<ssize_t(int, const void*, std::size_t)>("write");
  static auto* const next_at = real<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  const auto plain = [&](std::size_t n) {
    return offset < 0 ? next(fd, bytes, n) : next_at(fd, bytes, n, offset);
  };
  auto& journal = Journal::get();
  const auto path = journal.watched(fd);
  if (path.empty()) return plain(size);
  const Lock lock(journal.mutex);
  const auto room = allowed(journal, size);
  if (room < 0) return -1;
  auto at = offset;
  if (at < 0) {
    struct stat status {};
    const bool append = (::fcntl(fd, F_GETFL) & O_APPEND) != 0 && ::fstat(fd, &status) == 0;
    at = append ? status.st_size : ::lseek(fd, 0, SEEK_CUR);
  }
  const auto written = plain(static_cast<std::size_t>(room));
  const int error = errno;
  if (written > 0) {
    journal.record(
        "\"op\":\"write\"," + inode_of(fd) + path_member(path) + ",\"off\":" + std::to_string(at),
        {static_cast<const char*>(bytes), static_cast<std::size_t>(written)});
  }
  errno = error;
  return written;
}

// Two records, since writes go on meanwhile: what was there at the first is durable at the second.
int sync_watched(int fd, const char* name) {
  auto* const next = real<int(int)>(name);
  auto& journal = Journal::get();
  const auto path = journal.watched(fd);
  if (path.empty()) return next(fd);
  static std::int64_t counter = 0;
  std::string id;
  bool fails = false;
  std::int64_t delay_ms = 0;
  {
    const Lock lock(journal.mutex);
    auto& faults = journal.faults();
    fails = faults.failing_sync > 0 && --faults.failing_sync == 0;
    delay_ms = faults.sync_ms;
    if (fails) journal.made("EIO_FSYNC");
    if (delay_ms > 0) journal.made("FSYNC_MS");
    id = inode_of(fd) + path_member(path) + ",\"id\":\"" + std::to_string(::getpid()) + "-" +
         std::to_string(++counter) + "\"";
    journal.record("\"op\":\"sync_begin\"," + id);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
  const int result = fails ? -1 : next(fd);
  const int error = fails ? EIO : errno;
  const Lock lock(journal.mutex);
  journal.record((result == 0 ? "\"op\":\"sync_end\"," : "\"op\":\"sync_failed\",") + id);
  errno = error;
  return result;
}

int truncate_watched(int fd, off_t size) {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  auto& journal = Journal::get();
  if (journal.watched(fd).empty()) return next(fd, size);
  const Lock lock(journal.mutex);
  const int result = next(fd, size);
  if (result == 0) {
    journal.record("\"op\":\"truncate\"," + inode_of(fd) + ",\"size\":" + std::to_string(size));
  }
  return result;
}

// An operation on names: done, then journaled if it went well.
template <typename Action>
int on_names(const char* op, const std::string& path, const std::string& to, Action action) {
  auto& journal = Journal::get();
  if (!journal.watches(path) && !journal.watches(to)) return action();
  const Lock lock(journal.mutex);
  const int result = action();
  if (result == 0) {
    journal.record("\"op\":\"" + std::string(op) + "\"" + path_member(path) +
                   (to.empty() ? "" : ",\"to\":" + json_text(to)));
  }
  return result;
}

// A program tells the journal what it has told others by removing a file of this name.
constexpr std::string_view mark = "power_cut:";

mode_t mode_argument(int flags, va_list arguments) {
  const bool given = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return given ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

#define WITH_MODE(call)                                \
  va_list arguments;                                   \
  va_start(arguments, flags);                          \
  const mode_t mode = mode_argument(flags, arguments); \
  va_end(arguments);                                   \
  return call

extern "C" {

int open(const char* path, int flags, ...) { WITH_MODE(open_watched(AT_FDCWD, path, flags, mode)); }
int open64(const char* path, int flags, ...) {
  WITH_MODE(open_watched(AT_FDCWD, path, flags, mode));
}
int openat(int folder, const char* path, int flags, ...) {
  WITH_MODE(open_watched(folder, path, flags, mode));
}
int openat64(int folder, const char* path, int flags, ...) {
  WITH_MODE(open_watched(folder, path, flags, mode));
}
int creat(const char* path, mode_t mode) {
  return open_watched(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

ssize_t write(int fd, const void* bytes, std::size_t size) {
  return write_watched(fd, bytes, size, -1);
}
ssize_t pwrite(int fd, const void* bytes, std::size_t size, off_t offset) {
  return write_watched(fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, std::size_t size, off_t offset) {
  return write_watched(fd, bytes, size, offset);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  static auto* const next = real<ssize_t(int, const iovec*, int)>("writev");
  if (Journal::get().watched(fd).empty()) return next(fd, parts, count);
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return write_watched(fd, bytes.data(), bytes.size(), -1);
}

int fsync(int fd) { return sync_watched(fd, "fsync"); }
int fdatasync(int fd) { return sync_watched(fd, "fdatasync"); }
int ftruncate(int fd, off_t size) noexcept { return truncate_watched(fd, size); }
int ftruncate64(int fd, off_t size) noexcept { return truncate_watched(fd, size); }

int rename(const char* from, const char* to) noexcept {
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int folder, const char* from, int to_folder, const char* to) noexcept {
  static auto* const next = real<int(int, const char*, int, const char*)>("renameat");
  const auto& journal = Journal::get();
  return on_names("rename", journal.absolute(folder, from), journal.absolute(to_folder, to),
                  [&] { return next(folder, from, to_folder, to); });
}

int unlink(const char* path) noexcept {
  if (std::string_view(path).substr(0, mark.size()) == mark) {
    auto& journal = Journal::get();
    const Lock lock(journal.mutex);
    journal.record("\"op\":\"mark\",\"text\":" + json_text(path + mark.size()));
    return 0;
  }
  return unlinkat(AT_FDCWD, path, 0);
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  static auto* const next = real<int(int, const char*, int)>("unlinkat");
  return on_names("remove", Journal::get().absolute(folder, path), {},
                  [&] { return next(folder, path, flags); });
}
int rmdir(const char* path) noexcept { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char* path, mode_t mode) noexcept { return mkdirat(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  static auto* const next = real<int(int, const char*, mode_t)>("mkdirat");
  return on_names("make_folder", Journal::get().absolute(folder, path), {},
                  [&] { return next(folder, path, mode); });
}

int link(const char* from, const char* to) noexcept {
  static auto* const next = real<int(const char*, const char*)>("link");
  const auto& journal = Journal::get();
  return on_names("link", journal.absolute(AT_FDCWD, from), journal.absolute(AT_FDCWD, to),
                  [&] { return next(from, to); });
}

}  // extern "C"
