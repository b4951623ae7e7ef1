#include "sinks/file_sink.hpp"

#include <memory>

#include "sinks/file_bookmark.hpp"
#include "sinks/file_io.hpp"

namespace pgcourier::sinks {

FileSink::FileSink(const config::FilesSettings& settings, const std::string& name)
    : settings_(settings), names_(settings.directory, name) {}

std::optional<cdc::Bookmark> FileSink::open() {
  make_folder(names_.directory());
  recovered_ = recover(names_);
  return recovered_.bookmark;
}

void FileSink::start(const cdc::Bookmark& bookmark) {
  auto& [known, saved, file] = recovered_;
  // The file's own positions count only in the stream that wrote it, and only up to where they
  // reach: a start the operator forced elsewhere gets a new file. So does another compression.
  if (file && (known->identity != bookmark.identity ||
               known->position.delivered != bookmark.position.delivered ||
               file->file.compression != settings_.compression)) {
    write_bookmark(names_, *known, {});
    give_final_name(names_, file->file);
    saved = known;
    file.reset();
  }
  const std::string open_file = file ? file->file.path.filename().native() : std::string();
  if (saved != bookmark || file) write_bookmark(names_, bookmark, open_file);
  worker_.start(std::make_unique<FileWriter>(names_, settings_, bookmark, file, worker_.waiting()));
}

}  // namespace pgcourier::sinks
