#include "sinks/file_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using cdc::SinkFailure;

std::string_view remedy(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "give the user pgcourier runs as the right to write there";
    case EROFS:
      return "the file system is read-only; mount it writable or choose another directory";
    case ENOTDIR:
    case EEXIST:
    case EISDIR:
      return "another file is in the way; remove it or choose another directory";
    default:
      return {};
  }
}

}  // namespace

void throw_io(std::string_view doing, const std::filesystem::path& path, int error) {
  std::string what = "files: " + std::string(doing) + " " + path.native() + ": " +
                     std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT) throw DiskFull(what + "; free some space");
  if (error == EFBIG) throw DiskFull(what + "; raise the limit of a file's size (ulimit -f)");
  const auto advice = remedy(error);
  if (advice.empty()) throw SinkError(SinkFailure::unavailable, what);
  throw SinkError(SinkFailure::not_permitted, what + "; " + std::string(advice));
}

Fd open_file(const std::filesystem::path& path, int flags) {
  for (;;) {
    Fd file(::open(path.c_str(), flags | O_CLOEXEC, 0640));
    if (file) return file;
    if (errno != EINTR) throw_io("opening", path, errno);
  }
}

void write_at(const Fd& file, const std::filesystem::path& path, std::string_view bytes,
              std::uint64_t& offset) {
  while (!bytes.empty()) {
    const auto written =
        ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_io("writing", path, errno);
    }
    offset += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t read_at(const Fd& file, const std::filesystem::path& path, char* bytes,
                    std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const auto got =
        ::pread(file.get(), bytes + done, size - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      throw_io("reading", path, errno);
    }
  }
  return done;
}

std::uint64_t file_size(const Fd& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io("reading", path, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

bool has_name(const Fd& file) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 && status.st_nlink > 0;
}

void truncate(const Fd& file, const std::filesystem::path& path, std::uint64_t size) {
  if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) throw_io("cutting", path, errno);
}

void sync_file(const Fd& file, const std::filesystem::path& path) {
  if (::fdatasync(file.get()) != 0) throw_io("syncing", path, errno);
}

void rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_io("renaming", from, errno);
}

void remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_io("removing", path, errno);
}

bool file_exists(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) throw_io("looking for", path, errno);
  return false;
}

void sync_folder(const std::filesystem::path& folder) {
  const auto opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(opened.get()) != 0) throw_io("syncing", folder, errno);
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw_io("creating", folder, error.value());
  if (!std::filesystem::is_directory(folder, error)) throw_io("using", folder, ENOTDIR);
  // The one who took the lock in it may have made it, so all of its parents are synced; those it
  // may not even read were there before.
  for (auto inner = std::filesystem::absolute(folder).lexically_normal(); inner.has_relative_path();
       inner = inner.parent_path()) {
    const auto parent = inner.parent_path();
    if (::access(parent.c_str(), R_OK) == 0) sync_folder(parent);
  }
}

}  // namespace pgcourier::sinks
