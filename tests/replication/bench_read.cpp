// Drains a logical slot as fast as the server sends, and says how: the reading half of the daemon,
// to compare with pg_recvlogical on a copy of the slot (pg_copy_logical_replication_slot).
// usage: bench_read HOST PORT USER DATABASE SLOT PUBLICATION [tls]
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

#include "protocol/replication_commands.hpp"
#include "protocol/replication_messages.hpp"
#include "replication/connection.hpp"
#include "replication/session_settings.hpp"

namespace pgcourier::replication {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto value = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return value(usage.ru_utime) + value(usage.ru_stime);
}

// Without an answer the server sends no more keepalives, and gives us up in the end.
void answer(Connection& connection, protocol::Lsn position) {
  protocol::StandbyStatusUpdate status;
  status.write = position;
  connection.send_copy_data(protocol::standby_status_update(status));
}

asio::awaitable<void> drain(Connection& connection, const config::ConnectionTarget& target,
                            std::string slot, std::string publication) {
  co_await connection.open(target, Purpose::replication, session_settings());
  const QueryResult system = co_await connection.query(protocol::identify_system());
  const auto end = protocol::parse_lsn(system.rows.at(0).at(2).value());
  protocol::StartLogicalReplication options;
  options.slot = std::move(slot);
  options.publications = {std::move(publication)};
  co_await connection.start_copy_both(protocol::start_replication(options));

  const auto started = Clock::now();
  const double cpu_started = cpu_seconds();
  std::uint64_t changes = 0;
  protocol::Lsn position;
  while (position < end.value()) {
    co_await connection.read_some();
    while (const auto data = connection.next_copy_data()) {
      if (data->front() == protocol::primary_keepalive_type) {
        const auto keepalive = protocol::read_primary_keepalive(*data);
        position = std::max(position, keepalive.end);
        if (keepalive.reply_requested) answer(connection, position);
        continue;
      }
      const auto message = protocol::read_xlog_data(*data);
      position = std::max(position, message.start);
      ++changes;
    }
  }
  const double elapsed = seconds(Clock::now() - started);
  const ReadCounts counts = connection.read_counts();
  std::printf(
      "%.2f s, %llu messages, %.0f/s, %llu MB, %llu reads, %llu sleeps, %llu waits, %.2f s CPU\n",
      elapsed, static_cast<unsigned long long>(changes), static_cast<double>(changes) / elapsed,
      static_cast<unsigned long long>(counts.bytes >> 20),
      static_cast<unsigned long long>(counts.reads), static_cast<unsigned long long>(counts.sleeps),
      static_cast<unsigned long long>(counts.waits), cpu_seconds() - cpu_started);
  co_await connection.terminate();
}

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: bench_read HOST PORT USER DATABASE SLOT PUBLICATION [tls]\n");
    return 64;
  }
  config::ConnectionTarget target;
  config::Host host;
  host.name = argv[1];
  host.port = static_cast<std::uint16_t>(std::stoi(argv[2]));
  target.hosts = {host};
  target.user = argv[3];
  target.database = argv[4];
  target.ssl_mode = argc > 7 ? config::SslMode::require : config::SslMode::disable;
  asio::io_context io(1);
  Connection connection(io, std::size_t{1} << 30);
  std::exception_ptr failure;
  asio::co_spawn(io, drain(connection, target, argv[5], argv[6]),
                 [&failure](std::exception_ptr error) { failure = error; });
  io.run();
  if (failure) std::rethrow_exception(failure);
  return 0;
}

}  // namespace
}  // namespace pgcourier::replication

int main(int argc, char** argv) { return pgcourier::replication::main(argc, argv); }
