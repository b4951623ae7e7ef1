#include "cdc/daemon/demo/private_server.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <csignal>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "cdc/daemon/stop_error.hpp"

namespace pgcourier::cdc::daemon {

namespace fs = std::filesystem;

namespace {

// The newest one that Debian installed.
fs::path find_binaries() {
  std::vector<std::pair<long, fs::path>> found;
  std::error_code none;
  for (const auto& major : fs::directory_iterator("/usr/lib/postgresql", none)) {
    const auto binaries = major.path() / "bin";
    if (fs::exists(binaries / "initdb")) {
      found.emplace_back(std::strtol(major.path().filename().c_str(), nullptr, 10), binaries);
    }
  }
  if (found.empty()) {
    throw StopError(exit_settings,
                    "the demo needs a PostgreSQL server: apt-get install postgresql, or ./dev demo,"
                    " which does that");
  }
  return std::max_element(found.begin(), found.end())->second;
}

std::string random_password() {
  constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz23456789";
  std::random_device device;
  std::string password;
  for (int i = 0; i < 24; ++i) password += letters[device() % letters.size()];
  return password;
}

std::string last_lines(const fs::path& log) {
  std::ifstream file(log);
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  return text.size() > 600 ? text.substr(text.size() - 600) : text;
}

}  // namespace

std::uint16_t free_loopback_port() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor probe(io,
                                       {boost::asio::ip::address_v4::loopback(), std::uint16_t{0}});
  return probe.local_endpoint().port();
}

PrivateServer::PrivateServer(const fs::path& folder)
    : folder_(folder / "postgresql"),
      binaries_(find_binaries()),
      port_(free_loopback_port()),
      password_(random_password()) {
  fs::create_directories(folder_);
  if (::getuid() == 0) {
    account_ = find_account("postgres");
    if (!account_) throw StopError(exit_not_permitted, "there is no account postgres to run as");
    if (::chown(folder_.c_str(), account_->user, account_->group) != 0) {
      throw StopError(exit_not_permitted, "can't give " + folder_.string() + " to postgres");
    }
  }
  const auto password_file = folder_ / "password";
  std::ofstream(password_file) << password_ << '\n';
  fs::permissions(password_file, fs::perms::owner_read | fs::perms::owner_write);
  if (account_ && ::chown(password_file.c_str(), account_->user, account_->group) != 0) {
    throw StopError(exit_not_permitted, "can't give " + password_file.string() + " to postgres");
  }
  const std::string data = (folder_ / "data").string();
  run({binaries_ / "initdb", "-D", data, "-U", "demo", "--pwfile", password_file, "--auth",
       "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"});
  server_.emplace(
      std::vector<std::string>{binaries_ / "postgres", "-D", data, "-p", std::to_string(port_),
                               "-c", "listen_addresses=127.0.0.1", "-c",
                               "unix_socket_directories=" + folder_.string(), "-c",
                               "wal_level=logical", "-c", "fsync=off", "-c", "shared_buffers=32MB"},
      folder_ / "server.log", account_);
}

PrivateServer::~PrivateServer() {
  if (!server_) return;
  server_->signal(SIGINT);  // fast shutdown
  server_->wait();
}

void PrivateServer::run(const std::vector<std::string>& arguments) const {
  const auto log = folder_ / "initdb.log";
  if (ChildProcess(arguments, log, account_).wait() != 0) {
    throw StopError(exit_internal, arguments[0] + " failed: " + last_lines(log));
  }
}

}  // namespace pgcourier::cdc::daemon
