// pgcourier demo
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/demo/line_follower.hpp"
#include "cdc/daemon/demo/private_server.hpp"
#include "cdc/daemon/demo/shop_writer.hpp"
#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/sql_session.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "config/connection_string.hpp"
#include "config/quantity.hpp"
#include "replication/session_settings.hpp"

namespace pgcourier::cdc::daemon {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t max_answer_bytes = 1 * config::MiB;

// A folder that goes away with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "pgcourier-demo-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw StopError(exit_not_permitted, "can't make " + pattern);
    path_ = pattern;
    // The server's account must get through to its own folder below.
    fs::permissions(path_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Demo {
 public:
  Demo(std::optional<std::chrono::milliseconds> duration, std::string brokers)
      : duration_(duration), brokers_(std::move(brokers)), server_(folder_.path()) {
    std::ofstream(pass_file()) << "*:*:*:*:" << server_.password() << '\n';
    fs::permissions(pass_file(), fs::perms::owner_read | fs::perms::owner_write);
  }

  int run() {
    asio::io_context io{1};
    std::exception_ptr failure;
    asio::co_spawn(io, until_interrupted(io), [&](std::exception_ptr error) { failure = error; });
    io.run();
    if (courier_) {
      courier_->signal(SIGTERM);
      courier_->wait();
      follower_.print_new_lines(std::cout);
    }
    if (failure) std::rethrow_exception(failure);
    std::cout << "-- the demo is over: server, files and folder are removed\n";
    return exit_done;
  }

 private:
  fs::path files() const { return folder_.path() / "files"; }
  fs::path log() const { return folder_.path() / "pgcourier.log"; }
  // The URL is good for psql too, and shows no password.
  fs::path pass_file() const { return folder_.path() / "pgpass"; }

  config::ConnectionTarget target() const {
    std::vector<std::string> warnings;
    return config::resolve_connection(
        config::parse_connection_string(url()), server_.password(),
        config::LibpqSurroundings{[](const char*) { return std::nullopt; }, "", "demo"}, warnings);
  }

  std::string url() const {
    return "postgresql://demo@127.0.0.1:" + std::to_string(server_.port()) +
           "/postgres?sslmode=disable&passfile=" + pass_file().string();
  }

  asio::awaitable<void> until_interrupted(asio::io_context& io) {
    asio::signal_set interrupts(io, SIGINT, SIGTERM);
    co_await first_of(show(io), wait_for(interrupts), time_limit(io));
  }

  static asio::awaitable<void> wait_for(asio::signal_set& interrupts) {
    co_await interrupts.async_wait(asio::use_awaitable);
  }

  asio::awaitable<void> time_limit(asio::io_context& io) {
    co_await pause(io, duration_.value_or(std::chrono::hours(24 * 365)));
  }

  asio::awaitable<void> show(asio::io_context& io) {
    replication::Connection sql(io, max_answer_bytes);
    co_await connect(io, sql);
    ShopWriter shop(sql);
    co_await shop.make_schema();
    start_courier();
    for (;;) {
      co_await shop.write_some();
      co_await pause(io, 300ms);
      follower_.print_new_lines(std::cout);
      if (const auto code = courier_->poll()) {
        std::ifstream lines(log());
        std::cerr << lines.rdbuf();
        throw StopError(*code, "pgcourier run ended; its log stands above");
      }
    }
  }

  // A server that has just been started takes a moment.
  asio::awaitable<void> connect(asio::io_context& io, replication::Connection& sql) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    for (;;) {
      std::string reason;
      try {
        co_await sql.open(target(), replication::Purpose::sql, replication::session_settings());
        co_return;
      } catch (const replication::ConnectionError& error) {
        reason = error.what();
      } catch (const protocol::ServerError& error) {
        reason = error.what();
      }
      if (std::chrono::steady_clock::now() > deadline) throw StopError(exit_unreachable, reason);
      co_await pause(io, 100ms);
    }
  }

  void start_courier() {
    const auto settings = folder_.path() / "pgcourier.yaml";
    std::ofstream file(settings);
    file << "name: demo\n"
         << "source:\n  url: " << url() << "\n  publication: shop\n  slot: demo\n"
         << "sinks:\n  - files: {directory: " << files().string() << "}\n";
    if (!brokers_.empty()) file << "  - kafka: {brokers: '" << brokers_ << "'}\n";
    file << "http: {listen: '" << http_ << "'}\nstate_dir: " << (folder_.path() / "state").string()
         << "\n";
    file.close();
    std::cout << "-- PostgreSQL: psql '" << url() << "'\n-- files:      " << files().string()
              << "\n-- status:     http://" << http_ << "/\n-- metrics:    http://" << http_
              << "/metrics\n-- settings:   " << settings.string()
              << "\n-- log:        " << log().string() << "\n";
    if (!brokers_.empty())
      std::cout << "-- Kafka:      topics demo.public.* at " << brokers_ << "\n";
    std::cout << "-- the changes, as they arrive in the files (Ctrl-C ends the demo):" << std::endl;
    courier_.emplace(std::vector<std::string>{fs::read_symlink("/proc/self/exe"), "run", "-c",
                                              settings.string()},
                     log(), std::nullopt);
  }

  std::optional<std::chrono::milliseconds> duration_;
  std::string brokers_;
  TemporaryFolder folder_;
  PrivateServer server_;
  std::optional<ChildProcess> courier_;
  LineFollower follower_{files()};
  std::string http_ = "127.0.0.1:" + std::to_string(free_loopback_port());
};

}  // namespace

void add_demo(CLI::App& app, Action& action) {
  struct Flags {
    std::string duration;
    std::string brokers;
  };
  auto flags = std::make_shared<Flags>();
  auto* demo = app.add_subcommand("demo", "A private PostgreSQL, a small shop, and its changes");
  demo->add_option("--for", flags->duration, "End after this long, as 20s");
  demo->add_option("--kafka", flags->brokers, "Write to these brokers too");
  demo->callback([flags, &action] {
    std::optional<std::chrono::milliseconds> duration;
    try {
      if (!flags->duration.empty()) duration = config::parse_duration(flags->duration);
    } catch (const config::SettingsError& error) {
      throw CLI::ValidationError("--for", error.what());
    }
    action = [flags, duration] {
      return report_failures([&] { return Demo(duration, flags->brokers).run(); });
    };
  });
}

}  // namespace pgcourier::cdc::daemon
