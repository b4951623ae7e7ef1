#include "sinks/file_names.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "sinks/file_io.hpp"

namespace pgcourier::sinks {
namespace {

using config::Compression;

constexpr std::size_t digits = 16;
constexpr std::string_view open_end = ".open";

constexpr std::array compressions{Compression::none, Compression::gzip, Compression::zstd};

std::string_view ending(Compression compression) {
  switch (compression) {
    case Compression::none:
      return ".jsonl";
    case Compression::gzip:
      return ".jsonl.gz";
    case Compression::zstd:
      return ".jsonl.zst";
  }
  return {};
}

std::string hexadecimal(protocol::Lsn lsn) {
  std::array<char, digits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llX", static_cast<unsigned long long>(lsn.value));
  return text.data();
}

}  // namespace

std::filesystem::path FileNames::finished(protocol::Lsn first_lsn, Compression compression) const {
  return directory_ / (name_ + "-" + hexadecimal(first_lsn) + std::string(ending(compression)));
}

std::filesystem::path FileNames::open(protocol::Lsn first_lsn, Compression compression) const {
  return finished(first_lsn, compression) += open_end;
}

bool FileNames::has_finished(protocol::Lsn first_lsn) const {
  return std::any_of(compressions.begin(), compressions.end(), [&](Compression compression) {
    return file_exists(finished(first_lsn, compression));
  });
}

bool FileNames::has_open(protocol::Lsn first_lsn) const {
  return std::any_of(compressions.begin(), compressions.end(), [&](Compression compression) {
    return file_exists(open(first_lsn, compression));
  });
}

protocol::Lsn FileNames::free_lsn(protocol::Lsn first_lsn) const {
  while (has_finished(first_lsn) || has_open(first_lsn)) ++first_lsn.value;
  return first_lsn;
}

std::optional<DataFile> FileNames::parse(std::string_view file) const {
  if (file.substr(0, name_.size()) != name_) return std::nullopt;
  std::string_view rest = file.substr(name_.size());
  if (rest.size() < 1 + digits || rest[0] != '-') return std::nullopt;
  const auto number = rest.substr(1, digits);
  auto end = rest.substr(1 + digits);
  const bool open = end.ends_with(open_end);
  if (open) end.remove_suffix(open_end.size());
  const auto* const compression =
      std::find_if(compressions.begin(), compressions.end(),
                   [end](Compression one) { return end == ending(one); });
  const bool upper = std::all_of(number.begin(), number.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
  });
  if (!upper || compression == compressions.end()) return std::nullopt;
  DataFile result{directory_ / file, {}, *compression, open};
  std::from_chars(number.data(), number.data() + digits, result.first_lsn.value, 16);
  return result;
}

std::vector<DataFile> FileNames::list() const {
  std::vector<DataFile> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (auto file = parse(entry->path().filename().native())) files.push_back(std::move(*file));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw_io("reading the folder", directory_, error.value());
  }
  std::sort(files.begin(), files.end(), [](const DataFile& a, const DataFile& b) {
    return a.first_lsn < b.first_lsn || (a.first_lsn == b.first_lsn && !a.open && b.open);
  });
  return files;
}

}  // namespace pgcourier::sinks
