// Runs under the power-cut shim: writes transactions that are a function of their number, from
// where the sink stands, and marks in the journal what the sink says its bookmark covers.
//   file_power_cut_program DIRECTORY TRANSACTIONS SEED COMPRESSION     0 transactions: recovers
//   only
#include <unistd.h>

#include <cstdio>
#include <random>

#include "sinks/file_sink.hpp"
#include "tests/sinks/file_support.hpp"

namespace pgcourier::tests {
namespace {

// file_power_cuts.py knows the same.
constexpr std::uint64_t lsns_each = 0x100;

void mark(protocol::Lsn covered) {
  ::unlink(("power_cut:" + std::to_string(covered.value)).c_str());
}

void write_unit(SinkDriver& driver, std::uint64_t number) {
  const auto commit = number * lsns_each;
  // Of random letters: compressed it takes more than a few bytes.
  std::mt19937 random(static_cast<unsigned>(number));
  std::string note(number * 104729 % 3000, 'a');
  for (auto& letter : note) letter = static_cast<char>('a' + random() % 26);
  if (number % 17 == 0) {
    driver.write(message_line(commit));
    driver.commit(commit);
  } else {
    driver.transaction(commit, static_cast<unsigned>(1 + number * 7919 % 13), commit + 0x80, note);
  }
}

int run(const std::filesystem::path& directory, std::uint64_t transactions, unsigned seed,
        config::Compression compression) {
  config::FilesSettings settings;
  settings.directory = directory;
  settings.rotate_size = 100'000;
  settings.compression = compression;
  sinks::FileSink sink(settings, "shop");
  const auto bookmark = sink.open().value_or(bookmark_at(0, 1));
  sink.start(bookmark);
  mark(bookmark.position.position);

  std::mt19937 random(seed);
  SinkDriver driver(sink);
  auto covered = bookmark.position.position;
  const auto first = bookmark.position.delivered.value / lsns_each + 1;
  for (auto number = first; number < first + transactions; ++number) {
    write_unit(driver, number);
    if (random() % 5 == 0 && !driver.settle()) return 1;
    if (random() % 40 == 0) {  // an idle time: a position no line carries
      if (!driver.settle()) return 1;
      const auto delivered = driver.bookmarked;
      sink.advance({delivered, protocol::Lsn{number * lsns_each + 0x90}});
      if (!driver.wait_until([&] { return driver.bookmarked > delivered; })) return 1;
    }
    driver.collect();
    if (driver.bookmarked > covered) mark(covered = driver.bookmarked);
  }
  if (random() % 2 == 0) sink.close();
  std::printf("%llu\n", static_cast<unsigned long long>(bookmark.position.position.value));
  return 0;
}

}  // namespace
}  // namespace pgcourier::tests

int main(int count, char** arguments) {
  using pgcourier::config::Compression;
  if (count != 5) return 64;
  const std::string_view word = arguments[4];
  return pgcourier::tests::run(arguments[1], std::stoull(arguments[2]),
                               static_cast<unsigned>(std::stoul(arguments[3])),
                               word == "gzip"   ? Compression::gzip
                               : word == "zstd" ? Compression::zstd
                                                : Compression::none);
}
