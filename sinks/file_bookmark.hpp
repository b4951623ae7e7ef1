// The file sink's bookmark on disk: `<directory>/<name>.bookmark.json` (delivery.md 8). Beside what
// every sink remembers it names the `.open` file that it covers part of: finished ones may be taken
// away by their readers, that one may not.
#pragma once

#include <optional>
#include <string>

#include "cdc/bookmark.hpp"
#include "sinks/file_names.hpp"

namespace pgcourier::sinks {

// Empty if there is none. Throws SinkError{bookmark} for one that can't be understood, which is
// never "none", and for one whose `.open` file is gone.
std::optional<cdc::Bookmark> read_bookmark(const FileNames& names);

// Durable when this returns; until then the one before stays whole. `open_file_name`: the name of
// the
// `.open` file, which it must cover part of; empty: none, and so before it gets its final name.
void write_bookmark(const FileNames& names, const cdc::Bookmark& bookmark,
                    const std::string& open_file_name);

}  // namespace pgcourier::sinks
