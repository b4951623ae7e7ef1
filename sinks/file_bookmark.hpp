// The file sink's bookmark on disk: `<directory>/<name>.bookmark.json` (delivery.md 8).
#pragma once

#include <optional>

#include "cdc/bookmark.hpp"
#include "sinks/file_names.hpp"

namespace pgcourier::sinks {

// Empty if there is none. Throws SinkError{bookmark} for one that can't be understood: that is
// never "none".
std::optional<cdc::Bookmark> read_bookmark(const FileNames& names);

// Durable when this returns; until then the one before stays whole.
void write_bookmark(const FileNames& names, const cdc::Bookmark& bookmark);

}  // namespace pgcourier::sinks
