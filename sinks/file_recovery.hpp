// What a crash or a power cut left of the data files, and how it becomes whole again
// (delivery.md 8 and 18).
#pragma once

#include <cstdint>
#include <optional>

#include "cdc/bookmark.hpp"
#include "sinks/file_names.hpp"

namespace pgcourier::sinks {

// The whole units at the front of a data file.
struct WholePart {
  std::uint64_t size = 0;       // of the file, in bytes
  std::uint64_t units_end = 0;  // bytes up to the end of the last whole unit
  protocol::Lsn end_lsn;        // of that unit; 0/0 if there is none
};

// Reads the file from its front, in pieces: after a power cut page N+1 may be there without N, so
// nothing behind the first damage counts. Of a compressed file, units that end with a member count.
WholePart read_whole_part(const DataFile& data_file);

// An `.open` file to be continued.
struct ContinuedFile {
  DataFile file;
  WholePart part;
};

struct Recovered {
  std::optional<cdc::Bookmark> bookmark;  // the data's own positions included
  std::optional<cdc::Bookmark> saved;     // what the bookmark file says
  std::optional<ContinuedFile> file;
};

// What recover() would give, without changing anything.
std::optional<cdc::Bookmark> peek(const FileNames& names);

// Cuts `.open` files behind their last whole unit, removes empty ones, and makes that durable.
// Throws SinkError{bookmark} where data is there without a bookmark, or the bookmark covers data
// that is not there.
Recovered recover(const FileNames& names);

// Gives an `.open` file its final name, durably. REQUIRES: it is synced, ends with a unit, and the
// bookmark covers that.
void give_final_name(const FileNames& names, const DataFile& file);

}  // namespace pgcourier::sinks
