#include "sinks/file_recovery.hpp"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sinks/file_bookmark.hpp"
#include "sinks/file_compression.hpp"
#include "sinks/file_io.hpp"
#include "sinks/file_line.hpp"

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using cdc::SinkFailure;

constexpr std::size_t read_size = 64 * 1024;

// Follows the lines of a file and remembers where the last unit ended.
class UnitFinder {
 public:
  // The next of the lines, cut anywhere. False: among them is what belongs to nothing.
  bool feed(std::string_view lines) {
    for (auto end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
      fed_ += end + 1;
      if (!line_.feed(lines.substr(0, end))) return false;
      const auto facts = line_.finish();
      if (!facts || !unit(*facts)) return false;
      lines.remove_prefix(end + 1);
    }
    fed_ += lines.size();
    return line_.feed(lines);
  }

  std::uint64_t units_end() const { return units_end_; }  // in bytes of the lines
  protocol::Lsn end_lsn() const { return end_lsn_; }
  bool at_unit_end() const { return units_end_ == fed_; }

 private:
  bool unit(const LineFacts& facts) {
    if (facts.in_transaction) {
      if (open_ && *open_ != facts.commit_lsn) return false;
      open_ = facts.commit_lsn;
      if (!facts.end_lsn) return true;
      open_.reset();
    } else if (open_) {
      return false;
    }
    units_end_ = fed_;
    end_lsn_ = std::max(end_lsn_, *facts.end_lsn);
    return true;
  }

  LineReader line_;
  std::uint64_t fed_ = 0;
  std::uint64_t units_end_ = 0;
  protocol::Lsn end_lsn_;
  std::optional<protocol::Lsn>
      open_;  // the commit LSN of the transaction whose last line is to come
};

// A file of `size` bytes read from its front, a piece of it in memory.
class Front {
 public:
  // `wanted`: how much at once.
  Front(const Fd& file, const std::filesystem::path& path, std::uint64_t size, std::size_t wanted)
      : file_(file), path_(path), left_(size), wanted_(wanted) {}

  // What the file goes on with: as much as is wanted, less at its end only. Valid until the next
  // call.
  std::string_view bytes() {
    if (left_ > 0 && buffer_.size() - begin_ < wanted_) {
      buffer_.erase(0, std::exchange(begin_, 0));
      const auto kept = buffer_.size();
      const auto asked =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, 4 * wanted_ - kept));
      buffer_.resize(kept + asked);
      const auto got = read_at(file_, path_, buffer_.data() + kept, asked, offset_);
      buffer_.resize(kept + got);
      offset_ += got;
      left_ = got < asked ? 0 : left_ - got;
    }
    return std::string_view(buffer_).substr(begin_);
  }

  void consume(std::size_t bytes) { begin_ += bytes; }

 private:
  const Fd& file_;
  const std::filesystem::path& path_;
  std::uint64_t left_;  // of the file, behind the buffer
  std::size_t wanted_;
  std::string buffer_;
  std::size_t begin_ = 0;     // of what was not consumed, in the buffer
  std::uint64_t offset_ = 0;  // of what comes behind the buffer, in the file
};

void read_lines(Front front, WholePart& part) {
  UnitFinder units;
  for (auto lines = front.bytes(); !lines.empty(); lines = front.bytes()) {
    const bool whole = units.feed(lines);
    part.units_end = units.units_end();
    part.end_lsn = units.end_lsn();
    if (!whole) return;
    front.consume(lines.size());
  }
}

// A file can be cut and continued only where a member ends.
void read_members(Front front, Decompressor& decompressor, WholePart& part) {
  UnitFinder units;
  std::uint64_t end = 0;
  for (auto bytes = front.bytes(); !bytes.empty(); bytes = front.bytes()) {
    const auto member = decompressor.decompress(bytes);
    if (!member || !units.feed(member->content)) return;
    front.consume(member->size);
    end += member->size;
    if (!units.at_unit_end()) continue;
    part.units_end = end;
    part.end_lsn = units.end_lsn();
  }
}

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
  const auto part = read_whole_part(file);
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

WholePart read_whole_part(const DataFile& data_file) {
  const auto& path = data_file.path;
  const auto file = open_file(path, O_RDONLY);
  WholePart part{.size = file_size(file, path), .units_end = 0, .end_lsn = {}};
  if (const auto decompressor = make_decompressor(data_file.compression)) {
    read_members(Front(file, path, part.size, decompressor->largest_member()), *decompressor, part);
  } else {
    read_lines(Front(file, path, part.size, read_size), part);
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
  while (names.has_finished(first_lsn)) ++first_lsn.value;  // see FileNames::free_lsn()
  rename_file(file.path, names.finished(first_lsn, file.compression));
  sync_folder(names.directory());
}

}  // namespace pgcourier::sinks
