// From the settings to a stream in copy-both mode with sinks that may be written to: rules 7–10 of
// delivery.md, in their order.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cdc/daemon/instance_lock.hpp"
#include "cdc/daemon/pipeline_status.hpp"
#include "cdc/daemon/run_memory.hpp"
#include "cdc/daemon/run_options.hpp"
#include "cdc/daemon/sql_session.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "cdc/sink.hpp"
#include "cdc/start_check.hpp"
#include "config/settings.hpp"
#include "protocol/replication_commands.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// What every part of a session works with; outlives it.
struct SessionContext {
  asio::io_context& io;
  asio::thread_pool& workers;
  const config::Settings& settings;
  RunOptions options;
  PipelineStatus& status;
  RunMemory& memory;
};

// All that a started session holds. Sinks are destroyed on a worker thread: see discard().
struct StartedSession {
  std::unique_ptr<SqlSession> sql;
  std::unique_ptr<replication::Connection> stream;  // copy-both, its socket unread so far
  std::vector<std::unique_ptr<Sink>> sinks;         // started
  std::vector<Position> positions;                  // one a sink
  protocol::PgoutputOptions stream_options;
  std::vector<InstanceLock> locks;
  ServerView server;
  std::optional<protocol::Lsn> until;
  std::chrono::milliseconds wal_sender_timeout{0};
  std::int32_t stream_pid = 0;
  bool bookmark_exists = false;  // known as soon as the bookmarks were read
};

// The way there, step by step, into a StartedSession that the caller owns, so that whatever was
// reached is in his hands when a step throws.
class SessionStart {
 public:
  SessionStart(const SessionContext& context, StartedSession& started)
      : context_(context), started_(started) {}

  // Throws StopError for what needs a person, and what connections and sinks throw.
  asio::awaitable<void> run();

 private:
  asio::awaitable<void> connect();
  asio::awaitable<void> identify();
  asio::awaitable<void> peek_bookmarks();
  asio::awaitable<void> take_slot();
  asio::awaitable<bool> prepare_slot();
  asio::awaitable<void> create_slot();
  asio::awaitable<void> send_create(const protocol::CreateLogicalSlot& options);
  asio::awaitable<void> tell_blockers();
  asio::awaitable<bool> try_start_replication();
  asio::awaitable<void> wait_for_slot();
  asio::awaitable<bool> find_publication();
  StopError publication_too_late() const;
  asio::awaitable<void> make_publication();
  asio::awaitable<void> take_over();
  asio::awaitable<void> take_locks();
  asio::awaitable<void> open_sinks();
  asio::awaitable<void> check_holder(replication::Connection& sql, std::int32_t holder);
  asio::awaitable<void> read_server_position();
  asio::awaitable<void> check_positions();
  asio::awaitable<void> start_sinks();
  asio::awaitable<void> keep_stream_alive();
  std::vector<SinkMemory> memories() const;

  const SessionContext& context_;
  StartedSession& started_;
  config::ConnectionTarget target_;
  std::vector<std::optional<Bookmark>> bookmarks_;  // one a sink
  bool fresh_slot_ = false;
  bool gap_accepted_ = false;
  std::chrono::steady_clock::time_point waiting_since_{};
  std::chrono::steady_clock::time_point stranger_since_{};
};

// Ends a session's sinks and connections wherever it stands. Never throws.
asio::awaitable<void> discard(asio::thread_pool& workers, StartedSession started);

// source.url and source.password_file, resolved against the environment; warnings are logged.
config::ConnectionTarget connection_target(const config::Settings& settings);

}  // namespace pgcourier::cdc::daemon
