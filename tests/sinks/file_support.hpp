// What the tests of the sinks that write lines have in common: a folder, lines like the encoder's,
// and a loop that waits for progress.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "cdc/sink.hpp"

namespace pgcourier::tests {

// A folder of its own, removed at the end. In memory where there is such a place: thousands of
// fsyncs are waited for otherwise.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const std::filesystem::path memory = "/dev/shm";
    std::string pattern =
        (std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path()) /
        "pgcourier-sinks-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_all(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// A row's line as native_json writes it, without its line end. The unit ends with it if `end` is
// not 0.
inline std::string row_line(std::uint64_t commit, unsigned seq, std::uint64_t end,
                            const std::string& note = "x") {
  std::string line = R"({"op":"insert","schema":"public","table":"orders","key":{"id":7},"after":)"
                     R"({"id":7,"price":"1.50","note":")" +
                     note +
                     R"(","data":{"a":[1,-2.5e+7,null,true,{}]}},"lsn":"0/1","commit_lsn":")" +
                     to_string(protocol::Lsn{commit}) + R"(","seq":)" + std::to_string(seq);
  if (end != 0) line += R"(,"last":true,"end_lsn":")" + to_string(protocol::Lsn{end}) + '"';
  return line + R"(,"xid":747,"commit_ts":"2026-11-22T10:00:00.123456Z"})";
}

inline std::string message_line(std::uint64_t lsn) {
  const auto text = to_string(protocol::Lsn{lsn});
  return R"({"op":"message","prefix":"p","content":"aGk=","transactional":false,"lsn":")" + text +
         R"(","commit_lsn":")" + text + R"("})";
}

inline cdc::Bookmark bookmark_at(std::uint64_t delivered, std::uint64_t position) {
  return {{"7000000000000000001", 1, "shop", "shop"},
          {protocol::Lsn{delivered}, protocol::Lsn{position}}};
}

// Writes units into a sink and counts what comes back of them.
class SinkDriver {
 public:
  explicit SinkDriver(cdc::Sink& sink) : sink_(sink) {}

  void write(const std::string& line) {
    cdc::EncodedEvent event;
    event.record.value = line;
    const auto written = sink_.write(event, transaction_);
    deliveries_wanted += written.deliveries;
    bytes_held += written.bytes;
  }

  void commit(std::uint64_t end) { sink_.commit(transaction_++, protocol::Lsn{end}); }

  // A transaction of `rows` rows at `commit` that ends at `end`.
  void transaction(std::uint64_t commit, unsigned rows, std::uint64_t end,
                   const std::string& note = "x") {
    for (unsigned seq = 0; seq < rows; ++seq) {
      write(row_line(commit, seq, seq + 1 == rows ? end : 0, note));
    }
    this->commit(end);
  }

  void collect() {
    cdc::Progress progress;
    sink_.collect(progress);
    for (const auto& delivery : progress.deliveries) deliveries += delivery.count;
    bytes_held -= progress.freed_bytes;
    if (progress.bookmarked) bookmarked = *progress.bookmarked;
  }

  // Serves the sink until `reached`, at most for ten seconds.
  bool wait_until(const std::function<bool()>& reached) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!reached()) {
      if (std::chrono::steady_clock::now() > end) return false;
      pollfd ready{sink_.ready_fd(), POLLIN, 0};
      ::poll(&ready, 1, 10);
      collect();
    }
    return true;
  }

  bool settle() {
    return wait_until([this] { return deliveries == deliveries_wanted && bytes_held == 0; });
  }

  std::size_t deliveries_wanted = 0;
  std::size_t deliveries = 0;
  std::size_t bytes_held = 0;
  protocol::Lsn bookmarked;

 private:
  cdc::Sink& sink_;
  cdc::TransactionNumber transaction_ = 0;
};

}  // namespace pgcourier::tests
