#include "sinks/file_bookmark.hpp"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "sinks/file_io.hpp"

namespace pgcourier::sinks {

namespace {

constexpr const char* open_file_member = "open_file";

std::string read_text(const std::filesystem::path& path) {
  const auto file = open_file(path, O_RDONLY);
  std::string json(static_cast<std::size_t>(file_size(file, path)), '\0');
  json.resize(read_at(file, path, json.data(), json.size(), 0));
  while (!json.empty() && json.back() == '\n') json.pop_back();
  return json;
}

// The name of the `.open` file of a bookmark that could be parsed; empty: none.
std::string named_file(const std::string& json) {
  return nlohmann::json::parse(json).value(open_file_member, std::string());
}

}  // namespace

std::optional<cdc::Bookmark> read_bookmark(const FileNames& names) {
  const auto path = names.bookmark();
  std::string missing;
  while (file_exists(path)) {
    const auto json = read_text(path);
    auto bookmark = cdc::parse_bookmark(json);
    if (!bookmark) {
      throw cdc::SinkError(
          cdc::SinkFailure::bookmark,
          "files: the bookmark " + path.native() +
              " is torn; restore it, or move it and the data files of that name to another folder:"
              " pgcourier then starts anew where the slot stands");
    }
    const auto name = named_file(json);
    if (name.empty() || file_exists(names.directory() / name)) return bookmark;
    if (name == missing) {
      throw cdc::SinkError(
          cdc::SinkFailure::bookmark,
          "files: " + (names.directory() / name).native() +
              " is gone, though it was still being written and the bookmark covers events in it up "
              "to " +
              to_string(bookmark->position.delivered) +
              ": they are lost to this sink. Put the file back, or move the bookmark " +
              path.native() +
              " and the data files to another folder: pgcourier then starts anew where the slot "
              "stands");
    }
    // The process whose turn it is may have finished the file since: then its bookmark says so.
    missing = name;
  }
  return std::nullopt;
}

void write_bookmark(const FileNames& names, const cdc::Bookmark& bookmark,
                    const std::string& open_file_name) {
  auto json = nlohmann::ordered_json::parse(cdc::to_json(bookmark));
  if (!open_file_name.empty()) json[open_file_member] = open_file_name;
  const auto draft = names.bookmark_draft();
  {
    const auto file = open_file(draft, O_WRONLY | O_CREAT | O_TRUNC);
    std::uint64_t offset = 0;
    write_at(file, draft, json.dump() + "\n", offset);
    sync_file(file, draft);
  }
  rename_file(draft, names.bookmark());
  sync_folder(names.directory());
}

}  // namespace pgcourier::sinks
