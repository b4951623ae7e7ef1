#include "sinks/file_names.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "sinks/file_io.hpp"

namespace pgcourier::sinks {
namespace {

constexpr std::size_t digits = 16;
constexpr std::string_view finished_end = ".jsonl";
constexpr std::string_view open_end = ".jsonl.open";

std::string hexadecimal(protocol::Lsn lsn) {
  std::array<char, digits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llX", static_cast<unsigned long long>(lsn.value));
  return text.data();
}

}  // namespace

std::filesystem::path FileNames::finished(protocol::Lsn first_lsn) const {
  return directory_ / (name_ + "-" + hexadecimal(first_lsn) + std::string(finished_end));
}

std::filesystem::path FileNames::open(protocol::Lsn first_lsn) const {
  return directory_ / (name_ + "-" + hexadecimal(first_lsn) + std::string(open_end));
}

protocol::Lsn FileNames::free_lsn(protocol::Lsn first_lsn) const {
  while (file_exists(finished(first_lsn)) || file_exists(open(first_lsn))) ++first_lsn.value;
  return first_lsn;
}

std::optional<DataFile> FileNames::parse(std::string_view file) const {
  if (file.substr(0, name_.size()) != name_) return std::nullopt;
  std::string_view rest = file.substr(name_.size());
  if (rest.size() < 1 + digits || rest[0] != '-') return std::nullopt;
  const auto number = rest.substr(1, digits);
  const auto end = rest.substr(1 + digits);
  const bool upper = std::all_of(number.begin(), number.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
  });
  if (!upper || (end != finished_end && end != open_end)) return std::nullopt;
  DataFile result{directory_ / file, {}, end == open_end};
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
