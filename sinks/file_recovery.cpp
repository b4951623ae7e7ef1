#include "sinks/file_recovery.hpp"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "sinks/file_bookmark.hpp"
#include "sinks/file_io.hpp"
#include "sinks/file_line.hpp"

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using cdc::SinkFailure;

constexpr std::size_t read_size = 256 * 1024;

// Follows the lines of a file and remembers where the last unit ended.
class UnitFinder {
 public:
  // False: the line, which ends at `end`, belongs to nothing.
  bool line(const LineFacts& facts, std::uint64_t end, WholePart& part) {
    if (facts.in_transaction) {
      if (open_ && *open_ != facts.commit_lsn) return false;
      open_ = facts.commit_lsn;
      if (!facts.end_lsn) return true;
      open_.reset();
    } else if (open_) {
      return false;
    }
    part.units_end = end;
    part.end_lsn = std::max(part.end_lsn, *facts.end_lsn);
    return true;
  }

 private:
  std::optional<protocol::Lsn>
      open_;  // the commit LSN of the transaction whose last line is to come
};

[[noreturn]] void throw_lost(const std::filesystem::path& path, const cdc::Bookmark& bookmark,
                             const WholePart& part) {
  throw SinkError(SinkFailure::bookmark,
                  "files: " + path.native() + " is whole up to " + to_string(part.end_lsn) +
                      " only, but the bookmark says that all up to " +
                      to_string(bookmark.position.delivered) +
                      " was durable: the disk lost it, or an older copy was restored; restore the "
                      "file, or start anew in another directory");
}

std::optional<cdc::Bookmark> read_bookmark_of(const FileNames& names,
                                              const std::vector<DataFile>& files) {
  auto bookmark = read_bookmark(names);
  if (!bookmark && !files.empty()) {
    throw SinkError(SinkFailure::bookmark,
                    "files: " + files.front().path.native() + " has no bookmark beside it (" +
                        names.bookmark().native() +
                        "); restore the bookmark, or move the data files to another folder");
  }
  return bookmark;
}

void cover(cdc::Bookmark& bookmark, protocol::Lsn end_lsn) {
  auto& [delivered, position] = bookmark.position;
  delivered = std::max(delivered, end_lsn);
  position = std::max(position, delivered);
}

// Reads the `.open` file and checks it against the bookmark, which is written with a position
// inside a file only when the file is durable up to there.
WholePart read_checked(const DataFile& file, const cdc::Bookmark& bookmark) {
  const auto part = read_whole_part(file.path);
  const auto delivered = bookmark.position.delivered;
  if (delivered > file.first_lsn && part.end_lsn < delivered) throw_lost(file.path, bookmark, part);
  return part;
}

void cut(const DataFile& file, const WholePart& part) {
  if (part.units_end == 0) {
    remove_file(file.path);
    return;
  }
  const auto opened = open_file(file.path, O_WRONLY);
  if (part.units_end < part.size) truncate(opened, file.path, part.units_end);
  sync_file(opened, file.path);
}

}  // namespace

WholePart read_whole_part(const std::filesystem::path& path) {
  const auto file = open_file(path, O_RDONLY);
  WholePart part{.size = file_size(file, path), .units_end = 0, .end_lsn = {}};
  std::vector<char> buffer(read_size);
  UnitFinder units;
  LineReader line;
  std::uint64_t offset = 0;
  while (const auto got = read_at(file, path, buffer.data(), buffer.size(), offset)) {
    std::string_view rest(buffer.data(), got);
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      offset += end + 1;
      if (!line.feed(rest.substr(0, end))) return part;
      const auto facts = line.finish();
      if (!facts || !units.line(*facts, offset, part)) return part;
      rest.remove_prefix(end + 1);
    }
    if (!line.feed(rest)) return part;
    offset += rest.size();
  }
  return part;
}

std::optional<cdc::Bookmark> peek(const FileNames& names) {
  const auto files = names.list();
  auto bookmark = read_bookmark_of(names, files);
  if (!bookmark) return std::nullopt;
  const auto from_file = *bookmark;
  for (const auto& file : files) {
    // One that is gone was finished since, by the process whose turn it is.
    if (file.open && file_exists(file.path))
      cover(*bookmark, read_checked(file, from_file).end_lsn);
  }
  return bookmark;
}

Recovered recover(const FileNames& names) {
  Recovered result;
  const auto files = names.list();
  result.bookmark = read_bookmark_of(names, files);
  remove_file(names.bookmark_draft());
  if (!result.bookmark) return result;

  result.saved = result.bookmark;
  for (const auto& file : files) {
    if (!file.open) continue;
    const auto part = read_checked(file, *result.saved);
    cut(file, part);
    if (part.units_end == 0) continue;
    // Rotation makes the next file only when this one has its final name, so a second one was put
    // here by somebody. It is kept, as long as nothing is missing between the two.
    if (result.file) {
      auto& before = *result.file;
      if (before.part.units_end < before.part.size) {
        throw_lost(before.file.path, *result.saved, before.part);
      }
      write_bookmark(names, *result.bookmark, {});
      result.saved = result.bookmark;
      give_final_name(names, before.file);
    }
    cover(*result.bookmark, part.end_lsn);
    result.file = ContinuedFile{file, part};
  }
  sync_folder(names.directory());
  return result;
}

void give_final_name(const FileNames& names, const DataFile& file) {
  auto first_lsn = file.first_lsn;
  while (file_exists(names.finished(first_lsn))) ++first_lsn.value;  // see FileNames::free_lsn()
  rename_file(file.path, names.finished(first_lsn));
  sync_folder(names.directory());
}

}  // namespace pgcourier::sinks
