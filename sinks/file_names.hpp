// What the file sink calls its files; contract.md, "Files".
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::sinks {

// A data file by its name: `<name>-<first LSN, 16 hexadecimal digits>.jsonl`, `.gz` or `.zst`
// behind it if it is compressed, and then `.open` while it is written. Names sort in the order of
// the data.
struct DataFile {
  std::filesystem::path path;
  protocol::Lsn first_lsn;  // commit LSN of the first transaction
  config::Compression compression = config::Compression::none;
  bool open = false;
};

class FileNames {
 public:
  FileNames(std::filesystem::path directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path bookmark() const { return directory_ / (name_ + ".bookmark.json"); }
  std::filesystem::path bookmark_draft() const {
    return directory_ / (name_ + ".bookmark.json.tmp");
  }
  std::filesystem::path lock() const { return directory_ / (name_ + ".lock"); }
  std::filesystem::path finished(protocol::Lsn first_lsn, config::Compression compression) const;
  std::filesystem::path open(protocol::Lsn first_lsn, config::Compression compression) const;

  // `first_lsn`, or the next number no file has, however compressed: a message and the transaction
  // behind it can have the same LSN. WAL records start at multiples of 8, so the name stays its
  // own.
  protocol::Lsn free_lsn(protocol::Lsn first_lsn) const;
  bool has_finished(protocol::Lsn first_lsn) const;

  // Empty unless `file` is a data file of this name.
  std::optional<DataFile> parse(std::string_view file) const;

  // All data files, sorted by LSN. A folder that does not exist has none.
  std::vector<DataFile> list() const;

 private:
  bool has_open(protocol::Lsn first_lsn) const;

  std::filesystem::path directory_;
  std::string name_;
};

}  // namespace pgcourier::sinks
