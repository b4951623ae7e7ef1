// With the slot in our hands: locks, repair, start check (delivery.md 7 and 8). The stream is in
// copy-both mode and unread; its walsender hears from us meanwhile.
#include <fstream>
#include <utility>

#include "cdc/daemon/blocking.hpp"
#include "cdc/daemon/checks/run_checks.hpp"
#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/server_view.hpp"
#include "cdc/daemon/session_start.hpp"
#include "cdc/daemon/single_row.hpp"
#include "cdc/daemon/status_message.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "cdc/feedback.hpp"
#include "config/connection_string.hpp"
#include "replication/catalog.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;

asio::awaitable<void> SessionStart::take_over() {
  context_.status.enter(PipelineState::opening_sinks, "the slot is ours: opening the sinks");
  // keep_stream_alive() never ends by itself.
  co_await first_of(open_sinks(), keep_stream_alive());
}

asio::awaitable<void> SessionStart::open_sinks() {
  co_await take_locks();
  const auto tables = co_await published_tables(context_, started_, !fresh_slot_);
  co_await read_server_position();
  for (std::size_t i = 0; i < started_.sinks.size(); ++i) {
    auto* sink = started_.sinks[i].get();
    bookmarks_[i] = co_await on_worker(context_.workers, [sink] { return sink->open(); });
  }
  // Once more: had we been stopped until the slot was somebody else's, he would have moved the
  // bookmarks too.
  co_await read_server_position();
  co_await check_positions();
  co_await start_sinks();
  for (const auto& sink : started_.sinks) {
    auto* target = sink.get();
    const auto* names = &tables;
    co_await on_worker(context_.workers, [target, names] { target->expect_tables(*names); });
  }
}

// Says nothing but "alive": until the checks have passed, flush is 0/0, which the server ignores.
asio::awaitable<void> SessionStart::keep_stream_alive() {
  const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(
      status_interval(started_.wal_sender_timeout));
  for (;;) {
    send_status(*started_.stream, StatusPositions{}, false);
    co_await pause(context_.io, interval);
  }
}

asio::awaitable<void> SessionStart::take_locks() {
  std::vector<std::filesystem::path> paths{context_.settings.state_dir /
                                           (context_.settings.name + ".lock")};
  for (const auto& sink : started_.sinks) {
    if (const auto path = sink->lock_path(); path && *path != paths.front()) {
      paths.push_back(*path);
    }
  }
  const auto& slot = context_.settings.source.slot;
  bool told = false;
  for (const auto& path : paths) {
    for (bool other_slot_seen = false;;) {
      auto taken = InstanceLock::take(path, slot);
      if (auto* lock = std::get_if<InstanceLock>(&taken)) {
        started_.locks.push_back(std::move(*lock));
        break;
      }
      const auto& holder = std::get<LockHolder>(taken);
      // Twice: a `pgcourier check` holds the lock for a moment, and the file names whoever had it
      // last.
      if (!holder.slot.empty() && holder.slot != slot && std::exchange(other_slot_seen, true)) {
        throw StopError(exit_settings, path.string() + " is locked by process " + holder.pid +
                                           ", which feeds from the slot " + holder.slot +
                                           ": give each pipeline a name and a folder of its own");
      }
      if (!told) {
        log::warn("waiting for a lock", {{"path", path.native()}, {"holder_pid", holder.pid}});
        told = true;
      }
      co_await pause(context_.io, 250ms);
      // A server that shuts down waits for us, and says so only to who asks.
      co_await read_server_position();
    }
  }
}

// Only now does nobody else move the slot any more.
asio::awaitable<void> SessionStart::read_server_position() {
  const auto sql = co_await started_.sql->lease();
  const auto slot = co_await replication::find_slot(*sql, context_.settings.source.slot);
  if (!slot || !slot->confirmed_flush_lsn) {
    throw StopError(exit_slot, "the replication slot " + context_.settings.source.slot +
                                   " vanished while it was in use");
  }
  // Nobody: the stream itself will tell why.
  if (slot->active_pid && slot->active_pid != started_.stream_pid) {
    co_await check_holder(*sql, *slot->active_pid);
  }
  auto& server = started_.server;
  server.confirmed_flush = *slot->confirmed_flush_lsn;
  co_await daemon::read_server_position(*sql, server);
}

// Behind a pooler no process has the number that the connection was told.
asio::awaitable<void> SessionStart::check_holder(replication::Connection& sql,
                                                 std::int32_t holder) {
  const auto answer = co_await sql.query("SELECT pg_backend_pid()");
  const auto& row = single_row(answer, 1, "pg_backend_pid()");
  if (row[0] != std::to_string(sql.server().process_id)) co_return;
  throw replication::ConnectionError("the slot " + context_.settings.source.slot +
                                     " is no longer ours: process " + std::to_string(holder) +
                                     " has it");
}

asio::awaitable<void> SessionStart::check_positions() {
  for (;;) {
    const auto verdict = check_start(started_.server, memories(), context_.options.acceptance,
                                     fresh_slot_, gap_accepted_);
    if (const auto* refusal = std::get_if<Refusal>(&verdict)) {
      throw StopError(refusal->exit_code, refusal->what);
    }
    if (const auto* start = std::get_if<StartPositions>(&verdict)) {
      for (const auto& warning : start->warnings) log::warn(warning);
      started_.positions = start->positions;
      co_return;
    }
    context_.status.enter(PipelineState::opening_sinks,
                          "the standby has not replayed up to " +
                              protocol::to_string(std::get<WaitForReplay>(verdict).until) + " yet");
    co_await pause(context_.io, 250ms);
    co_await read_server_position();
  }
}

// The first bookmark is durable before the socket is read.
asio::awaitable<void> SessionStart::start_sinks() {
  for (std::size_t i = 0; i < started_.sinks.size(); ++i) {
    auto* sink = started_.sinks[i].get();
    const Bookmark bookmark{started_.server.identity, started_.positions[i]};
    co_await on_worker(context_.workers, [sink, &bookmark] { sink->start(bookmark); });
    started_.bookmark_exists = started_.bookmark_exists || sink->keeps_bookmark();
  }
}

asio::awaitable<void> discard(asio::thread_pool& workers, StartedSession started) {
  if (started.stream) started.stream->close();
  auto* sinks = &started.sinks;
  co_await on_worker(workers, [sinks] { sinks->clear(); });
}

config::ConnectionTarget connection_target(const config::Settings& settings) {
  std::optional<std::string> password;
  if (const auto& path = settings.source.password_file) {
    std::ifstream file(*path);
    std::string line;
    if (!file || !std::getline(file, line)) {
      throw StopError(exit_not_permitted,
                      "source.password_file: can't read a line from " + path->string());
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    password = line;
  }
  std::vector<std::string> warnings;
  auto target = config::resolve_connection(config::parse_connection_string(settings.source.url),
                                           password, config::process_surroundings(), warnings);
  for (const auto& warning : warnings) log::warn(warning);
  target.application_name = settings.name;
  target.oauth_token = settings.source.oauth_token;
  if (const auto& path = settings.source.oauth_token_file) target.oauth_token_file = path->string();
  target.oauth_token_command = settings.source.oauth_token_command;
  return target;
}

}  // namespace pgcourier::cdc::daemon
