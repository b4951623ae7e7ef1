// System calls on files, with errors an operator can act on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "cdc/sink.hpp"
#include "sinks/worker_fd.hpp"

namespace pgcourier::sinks {

// There is no room on the disk, or in the quota. Time or an operator heals it.
class DiskFull : public cdc::SinkError {
 public:
  explicit DiskFull(const std::string& what) : SinkError(cdc::SinkFailure::unavailable, what) {}
};

// Throws DiskFull, or a SinkError: not_permitted where permissions or the kind of file are wrong,
// else unavailable. `doing` is "writing", "syncing", …
[[noreturn]] void throw_io(std::string_view doing, const std::filesystem::path& path, int error);

Fd open_file(const std::filesystem::path& path, int flags);  // adds O_CLOEXEC; new files get 0640

// Writes at `offset`, which moves with every byte written, also when it throws.
void write_at(const Fd& file, const std::filesystem::path& path, std::string_view bytes,
              std::uint64_t& offset);

// Up to `size` bytes at `offset`; fewer at the end of the file only.
std::size_t read_at(const Fd& file, const std::filesystem::path& path, char* bytes,
                    std::size_t size, std::uint64_t offset);

std::uint64_t file_size(const Fd& file, const std::filesystem::path& path);
// Whether the file is still in some folder.
bool has_name(const Fd& file);

void truncate(const Fd& file, const std::filesystem::path& path, std::uint64_t size);
void sync_file(const Fd& file, const std::filesystem::path& path);  // fdatasync: data and size
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
void remove_file(const std::filesystem::path& path);  // one that is not there is removed
bool file_exists(const std::filesystem::path& path);

// Makes creations, renames and removals in the folder durable.
void sync_folder(const std::filesystem::path& folder);

// Creates the folder and its parents where they are missing, durably.
void make_folder(const std::filesystem::path& folder);

}  // namespace pgcourier::sinks
