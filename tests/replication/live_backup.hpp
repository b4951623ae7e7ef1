// Base backups on disk, and servers that start on them. Driven by tests/integration/connection.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "replication/base_backup.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication::test {

// A folder that the servers' user may write to as well; restore.py removes it.
inline std::filesystem::path backup_folder(const std::string& name) {
  const auto folder = std::filesystem::path(environment("PGCOURIER_TEST_SOCKETS")) / name;
  std::filesystem::create_directory(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  return folder;
}

// Writes each archive, and the manifest, to a file of its name.
class FolderReceiver : public BackupReceiver {
 public:
  explicit FolderReceiver(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void begin_backup(const protocol::BackupInfo& info) override {
    begun_with_ = info.tablespaces.size();
  }
  void begin_archive(const protocol::NewArchive& archive) override {
    archives_.emplace_back(archive.name);
    open(archives_.back());
  }
  void begin_manifest() override { open("backup_manifest"); }
  void receive(std::string_view data) override {
    file_.write(data.data(), static_cast<std::streamsize>(data.size()));
    received_ += data.size();
  }
  void progress(std::uint64_t bytes_done) override { bytes_done_ = bytes_done; }

  std::string manifest() {
    file_.close();
    std::ifstream file(folder_ / "backup_manifest", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t begun_with() const { return begun_with_; }  // tablespaces
  const std::vector<std::string>& archives() const { return archives_; }
  std::uint64_t received() const { return received_; }
  std::uint64_t bytes_done() const { return bytes_done_; }

 private:
  void open(const std::string& name) {
    file_.close();
    file_.open(folder_ / name, std::ios::binary);
  }

  std::filesystem::path folder_;
  std::ofstream file_;
  std::size_t begun_with_ = 0;
  std::vector<std::string> archives_;
  std::uint64_t received_ = 0;
  std::uint64_t bytes_done_ = 0;
};

// The server of a backup, started by restore.py.
class RestoredServer {
 public:
  RestoredServer(int major, std::filesystem::path folder, const std::string& options = "")
      : major_(major), folder_(std::move(folder)) {
    EXPECT_EQ(restore("start", options), 0);
    std::ifstream(folder_ / "port") >> port_;
  }
  ~RestoredServer() { EXPECT_EQ(restore("stop", ""), 0); }
  RestoredServer(const RestoredServer&) = delete;
  RestoredServer& operator=(const RestoredServer&) = delete;

  config::ConnectionTarget target(config::ConnectionTarget like) const {
    like.hosts[0].port = port_;
    return like;
  }

 private:
  int restore(const std::string& command, const std::string& options) const {
    const std::string binaries = environment("PGCOURIER_TEST_BINARIES", major_);
    return std::system((environment("PGCOURIER_TEST_RESTORE") + " " + command + " " + binaries +
                        " " + folder_.string() + " " + options)
                           .c_str());
  }

  int major_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
};

}  // namespace pgcourier::replication::test
