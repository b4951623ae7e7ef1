#include "sinks/file_bookmark.hpp"

#include <fcntl.h>

#include "sinks/file_io.hpp"

namespace pgcourier::sinks {

std::optional<cdc::Bookmark> read_bookmark(const FileNames& names) {
  const auto path = names.bookmark();
  if (!file_exists(path)) return std::nullopt;
  const auto file = open_file(path, O_RDONLY);
  std::string json(static_cast<std::size_t>(file_size(file, path)), '\0');
  json.resize(read_at(file, path, json.data(), json.size(), 0));
  while (!json.empty() && json.back() == '\n') json.pop_back();
  auto bookmark = cdc::parse_bookmark(json);
  if (!bookmark) {
    throw cdc::SinkError(cdc::SinkFailure::bookmark,
                         "files: the bookmark " + path.native() +
                             " is torn; restore it, or move it and the data files of that name to "
                             "another folder and "
                             "run with --accept-gap to start anew where the slot stands");
  }
  return bookmark;
}

void write_bookmark(const FileNames& names, const cdc::Bookmark& bookmark) {
  const auto draft = names.bookmark_draft();
  {
    const auto file = open_file(draft, O_WRONLY | O_CREAT | O_TRUNC);
    std::uint64_t offset = 0;
    write_at(file, draft, cdc::to_json(bookmark) + "\n", offset);
    sync_file(file, draft);
  }
  rename_file(draft, names.bookmark());
  sync_folder(names.directory());
}

}  // namespace pgcourier::sinks
