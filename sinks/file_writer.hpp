// The file sink's own thread: appends lines, syncs, and ends files (delivery.md 8, 18 and 19).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cdc/bookmark.hpp"
#include "config/settings.hpp"
#include "sinks/file_compression.hpp"
#include "sinks/file_names.hpp"
#include "sinks/file_recovery.hpp"
#include "sinks/worker.hpp"

namespace pgcourier::sinks {

// Writes `<name>-<LSN>.jsonl.open`. Compressed, what is appended at once makes whole members, and
// the end of a chunk that belongs to a unit still to be ended is appended by itself: so the last
// whole unit always ends with a member, whatever is synced and whatever a crash leaves. A file ends
// in this order, so that a crash between any two steps leaves what recover() understands: sync it,
// let the bookmark cover its end, give it its final name, sync the folder; only then is the next
// one made.
class FileWriter : public Output {
 public:
  // `bookmark` is durable. `file` is continued, if there is one.
  FileWriter(FileNames names, const config::FilesSettings& settings, cdc::Bookmark bookmark,
             std::optional<ContinuedFile> file, Waiting& waiting);

  void write(const Chunk& chunk) override;
  std::optional<protocol::Lsn> sync() override;
  protocol::Lsn advance(const cdc::Position& position) override;
  std::optional<Clock::time_point> deadline() const override;
  void tick() override;
  void finish() override;

 private:
  void append(std::string_view lines);
  void append_bytes(std::string_view bytes);
  void create(std::string_view first_line);
  void sync_data();
  void end_file();
  void require_name() const;
  void save_bookmark(const std::string& open_file);
  std::string open_file_name() const;
  void when_there_is_room(const std::function<void()>& action);
  bool overdue() const;
  bool at_unit_end() const { return size_ == unit_size_; }
  protocol::Lsn covered() const;

  FileNames names_;
  const std::size_t rotate_size_;
  const std::chrono::milliseconds rotate_every_;  // 0: never for its age
  const config::Compression compression_;
  const std::unique_ptr<Compressor> compressor_;  // null: the lines as they are
  Waiting& waiting_;
  cdc::Bookmark saved_;            // the bookmark file …
  std::string saved_open_file_;    // … and the `.open` file that it names
  protocol::Lsn wanted_position_;  // asked for by advance()
  protocol::Lsn written_lsn_;      // end of the last unit written
  protocol::Lsn delivered_lsn_;    // … and durable

  Fd file_;  // the open file; none between two
  DataFile data_file_;
  Clock::time_point created_;
  bool entry_durable_ = true;       // its name in the folder
  std::uint64_t size_ = 0;          // written: bytes of the file, not of the lines
  std::uint64_t unit_size_ = 0;     // … up to the end of the last unit
  std::uint64_t durable_size_ = 0;  // synced
};

}  // namespace pgcourier::sinks
