#include "sinks/file_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "sinks/file_bookmark.hpp"
#include "sinks/file_io.hpp"
#include "sinks/file_line.hpp"

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using cdc::SinkFailure;

constexpr std::chrono::milliseconds retry_after{1000};

std::chrono::nanoseconds age(const std::filesystem::path& path) {
  struct statx status {};
  const bool known = ::statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &status) == 0 &&
                     (status.stx_mask & STATX_BTIME) != 0;
  if (!known) return {};
  const auto born = std::chrono::seconds(status.stx_btime.tv_sec);
  const auto since = std::chrono::system_clock::now().time_since_epoch() - born;
  return std::max(std::chrono::nanoseconds(since), std::chrono::nanoseconds(0));
}

protocol::Lsn commit_lsn_of(std::string_view line) {
  LineReader reader;
  reader.feed(line);
  const auto facts = reader.finish();
  if (!facts) {
    throw SinkError(SinkFailure::internal,
                    "files: an encoded event lacks the members recovery needs (commit_lsn, seq)");
  }
  return facts->commit_lsn;
}

}  // namespace

FileWriter::FileWriter(FileNames names, const config::FilesSettings& settings,
                       cdc::Bookmark bookmark, std::optional<ContinuedFile> file, Waiting& waiting)
    : names_(std::move(names)),
      rotate_size_(settings.rotate_size),
      rotate_every_(settings.rotate_every),
      compression_(settings.compression),
      compressor_(make_compressor(compression_)),
      waiting_(waiting),
      saved_(std::move(bookmark)),
      wanted_position_(saved_.position.position),
      written_lsn_(saved_.position.delivered),
      delivered_lsn_(saved_.position.delivered) {
  if (!file) return;
  data_file_ = file->file;
  file_ = open_file(data_file_.path, O_WRONLY);
  size_ = unit_size_ = durable_size_ = file->part.units_end;
  written_lsn_ = delivered_lsn_ = std::max(delivered_lsn_, file->part.end_lsn);
  saved_open_file_ = data_file_.path.filename();
  created_ = Clock::now() - std::chrono::duration_cast<Clock::duration>(age(data_file_.path));
}

void FileWriter::write(const Chunk& chunk) {
  std::string_view lines = chunk.bytes;
  std::size_t written = 0;
  for (const auto& unit : chunk.units) {
    const auto whole = unit.offset - written;
    // How much compressed lines take is known only then: a file may exceed its size by a chunk.
    const auto growth = compressor_ ? 0 : whole;
    const bool last = &unit == &chunk.units.back();
    if (!last && size_ + growth < rotate_size_ && !overdue()) continue;
    append(lines.substr(0, whole));
    lines.remove_prefix(whole);
    written = unit.offset;
    unit_size_ = size_;
    written_lsn_ = unit.end_lsn;
    if (size_ >= rotate_size_ || overdue()) end_file();
  }
  append(lines);
}

void FileWriter::append(std::string_view lines) {
  if (lines.empty()) return;
  if (!file_) create(lines.substr(0, lines.find('\n')));
  if (!compressor_) return append_bytes(lines);
  for (; !lines.empty(); lines.remove_prefix(std::min(lines.size(), largest_content))) {
    append_bytes(compressor_->compress(lines.substr(0, largest_content)));
  }
}

void FileWriter::append_bytes(std::string_view bytes) {
  const auto begin = size_;
  when_there_is_room([&] { write_at(file_, data_file_.path, bytes.substr(size_ - begin), size_); });
}

void FileWriter::create(std::string_view first_line) {
  const auto first_lsn = names_.free_lsn(commit_lsn_of(first_line));
  data_file_ = {names_.open(first_lsn, compression_), first_lsn, compression_, true};
  when_there_is_room([&] { file_ = open_file(data_file_.path, O_WRONLY | O_CREAT | O_EXCL); });
  created_ = Clock::now();
  entry_durable_ = false;
}

// Units are marked while they are written, so all that ends in the file is durable after this.
std::optional<protocol::Lsn> FileWriter::sync() {
  sync_data();
  return covered();
}

void FileWriter::sync_data() {
  if (file_ && durable_size_ < size_) {
    try {
      sync_file(file_, data_file_.path);
    } catch (const SinkError&) {
      // The kernel has marked the pages clean although they are not on the disk: a second try would
      // succeed without them. They go, and the next session reads them again.
      truncate(file_, data_file_.path, durable_size_);
      throw;
    }
    durable_size_ = size_;
  }
  require_name();
  if (!entry_durable_) {
    sync_folder(names_.directory());
    entry_durable_ = true;
  }
  delivered_lsn_ = std::max(delivered_lsn_, written_lsn_);
}

// Somebody removed the file, with what was confirmed in it.
void FileWriter::require_name() const {
  if (!file_ || has_name(file_)) return;
  throw SinkError(SinkFailure::bookmark,
                  "files: " + data_file_.path.native() +
                      " was removed while it was being written: what it held is lost to this sink."
                      " Nothing more is confirmed");
}

protocol::Lsn FileWriter::covered() const {
  return std::max(saved_.position.position, delivered_lsn_);
}

protocol::Lsn FileWriter::advance(const cdc::Position& position) {
  wanted_position_ = std::max(wanted_position_, position.position);
  sync_data();
  if (wanted_position_ > covered()) save_bookmark(open_file_name());
  return covered();
}

// REQUIRES: the data is durable up to delivered_lsn_.
void FileWriter::save_bookmark(const std::string& open_file) {
  auto bookmark = saved_;
  bookmark.position.delivered = delivered_lsn_;
  bookmark.position.position = std::max(wanted_position_, delivered_lsn_);
  if (bookmark == saved_ && open_file == saved_open_file_) return;
  when_there_is_room([&] { write_bookmark(names_, bookmark, open_file); });
  saved_ = bookmark;
  saved_open_file_ = open_file;
}

// Empty if there is none, or nothing whole in it.
std::string FileWriter::open_file_name() const {
  return file_ && unit_size_ > 0 ? data_file_.path.filename().native() : std::string();
}

void FileWriter::end_file() {
  sync_data();
  save_bookmark({});
  give_final_name(names_, data_file_);
  file_.reset();
  size_ = unit_size_ = durable_size_ = 0;
}

bool FileWriter::overdue() const {
  return file_ && rotate_every_.count() > 0 && created_ + rotate_every_ <= Clock::now();
}

// Inside a unit write() sees to it, at the unit's end.
std::optional<Output::Clock::time_point> FileWriter::deadline() const {
  if (!file_ || !at_unit_end() || rotate_every_.count() <= 0) return std::nullopt;
  return created_ + rotate_every_;
}

void FileWriter::tick() { end_file(); }

// What was written of a transaction whose end never came is cut off here, as recover() would.
void FileWriter::finish() {
  require_name();
  if (file_ && !at_unit_end()) {
    if (unit_size_ == 0) {
      remove_file(data_file_.path);
      sync_folder(names_.directory());
    } else {
      truncate(file_, data_file_.path, unit_size_);
      sync_file(file_, data_file_.path);
    }
  }
  const std::string open_file = open_file_name();
  file_.reset();
  save_bookmark(open_file);
}

void FileWriter::when_there_is_room(const std::function<void()>& action) {
  for (bool stalled = false;;) {
    try {
      action();
      if (stalled) waiting_.set_reason({});
      return;
    } catch (const DiskFull& full) {
      stalled = true;
      waiting_.set_reason(full.what());
      if (!waiting_.wait(retry_after)) throw;
    }
  }
}

}  // namespace pgcourier::sinks
