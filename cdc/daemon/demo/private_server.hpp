// A PostgreSQL of our own for the demo: loopback, a free port, a folder that is removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cdc/daemon/demo/child_process.hpp"

namespace pgcourier::cdc::daemon {

// A port of 127.0.0.1 that nobody listened on a moment ago.
std::uint16_t free_loopback_port();

class PrivateServer {
 public:
  // Makes the cluster below `folder` and starts it. Throws StopError with the remedy where
  // PostgreSQL is not installed, or with its own words where it does not start.
  explicit PrivateServer(const std::filesystem::path& folder);
  // Stops it.
  ~PrivateServer();
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;

  std::uint16_t port() const { return port_; }
  const std::string& password() const { return password_; }

 private:
  void run(const std::vector<std::string>& arguments) const;

  std::filesystem::path folder_;
  std::filesystem::path binaries_;
  std::optional<Account> account_;  // PostgreSQL refuses to run as root
  std::uint16_t port_ = 0;
  std::string password_;
  std::optional<ChildProcess> server_;
};

}  // namespace pgcourier::cdc::daemon
