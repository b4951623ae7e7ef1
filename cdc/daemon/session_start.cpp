// Up to the slot in our hands. What follows: session_take_over.cpp.
#include "cdc/daemon/session_start.hpp"

#include <algorithm>

#include "cdc/daemon/blocking.hpp"
#include "cdc/daemon/checks/publication_checks.hpp"
#include "cdc/daemon/checks/run_checks.hpp"
#include "cdc/daemon/checks/slot_checks.hpp"
#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/publication.hpp"
#include "cdc/daemon/server_notices.hpp"
#include "cdc/daemon/server_view.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "config/connection_string.hpp"
#include "protocol/server_error.hpp"
#include "replication/catalog.hpp"
#include "replication/replication_commands.hpp"
#include "replication/session_settings.hpp"
#include "sinks/sink_factory.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

asio::awaitable<void> SessionStart::run() {
  started_.sinks = sinks::make_sinks(context_.settings, context_.memory.sinks);
  bookmarks_.resize(started_.sinks.size());
  started_.until = context_.options.until;
  co_await connect();
  co_await peek_bookmarks();
  co_await take_slot();
  co_await take_over();
}

asio::awaitable<void> SessionStart::connect() {
  target_ = connection_target(context_.settings);
  // What we send and nobody acknowledges tells of a dead peer even while nothing is read
  // (delivery.md 6).
  if (target_.tcp_user_timeout.count() == 0) {
    target_.tcp_user_timeout = context_.settings.source.silence_timeout;
  }
  context_.status.enter(PipelineState::connecting, "connecting to PostgreSQL");
  started_.stream = std::make_unique<replication::Connection>(
      context_.io, context_.settings.limits.message_bytes);
  co_await started_.stream->open(target_, replication::Purpose::replication,
                                 replication::session_settings());
  // A server that falls silent before it streams is one that falls silent in the stream.
  started_.stream->limit_answers(context_.settings.source.silence_timeout);
  started_.stream_pid = started_.stream->server().process_id;
  // Of several hosts, what the second connection shows must be the same server's.
  target_.hosts = {started_.stream->host()};
  target_.target_session_attrs = config::TargetSessionAttrs::any;
  started_.sql = std::make_unique<SqlSession>(context_.io, target_);
  auto& source = context_.status.source();
  source.peer = started_.stream->peer();
  if (const auto& told = started_.stream->server().parameters; told.contains("server_version")) {
    source.server_version = told.at("server_version");
  }
  const auto timeout = co_await started_.stream->query(
      "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'");
  if (timeout.rows.size() == 1) {
    started_.wal_sender_timeout = std::chrono::milliseconds(
        std::strtoll(timeout.rows[0][0].value_or("0").c_str(), nullptr, 10));
  }
}

// Read anew before each attempt at the slot: a warm standby may wait here across a promotion.
asio::awaitable<void> SessionStart::identify() {
  auto& server = started_.server;
  // Impossible once the stream is in copy-both mode.
  co_await identify_server(*started_.stream, context_.settings.source.slot, server);
  if (context_.options.until_now) {
    if (!context_.memory.until) context_.memory.until = server.flushed;
    started_.until = context_.memory.until;
  }
  auto& source = context_.status.source();
  source.system_identifier = server.identity.system_identifier;
  source.timeline = server.identity.timeline;
  source.database = server.identity.database;
}

asio::awaitable<void> SessionStart::peek_bookmarks() {
  for (std::size_t i = 0; i < started_.sinks.size(); ++i) {
    auto* sink = started_.sinks[i].get();
    bookmarks_[i] = co_await on_worker(context_.workers, [sink] { return sink->peek_bookmark(); });
    started_.bookmark_exists = started_.bookmark_exists || bookmarks_[i].has_value();
  }
}

std::vector<SinkMemory> SessionStart::memories() const {
  std::vector<SinkMemory> memories;
  for (std::size_t i = 0; i < started_.sinks.size(); ++i) {
    const auto& sink = *started_.sinks[i];
    auto& memory =
        memories.emplace_back(SinkMemory{sink.id(), sink.keeps_bookmark(), bookmarks_[i]});
    const auto known = context_.memory.positions.find(sink.id());
    if (!sink.keeps_bookmark() && known != context_.memory.positions.end()) {
      memory.bookmark = known->second;
    }
  }
  return memories;
}

asio::awaitable<void> SessionStart::take_slot() {
  waiting_since_ = Clock::now();
  for (;;) {
    co_await identify();
    log_notices(started_.stream->take_notices(), "stream");
    // Two statements: GCC 12 makes wrong code of two co_awaits in one condition.
    bool ours = co_await prepare_slot();
    if (ours) ours = co_await try_start_replication();
    if (ours) co_return;
    co_await wait_for_slot();
  }
}

// Finds the slot or makes it. False: somebody uses it.
asio::awaitable<bool> SessionStart::prepare_slot() {
  const auto& settings = context_.settings.source;
  if (settings.two_phase && started_.stream->server_version() < 150000) {
    throw StopError(exit_settings, "source.two_phase: true needs PostgreSQL 15; this server is " +
                                       context_.status.source().server_version);
  }
  std::optional<replication::SlotInfo> slot;
  {
    const auto sql = co_await started_.sql->lease();
    slot = co_await replication::find_slot(*sql, settings.slot);
  }
  const auto view = view_slot(slot, settings, started_.server.identity.database);
  if (slot && slot->synced && started_.server.standby) {
    throw replication::ConnectionError(
        started_.stream->peer() + ": a standby, whose replication slot " + settings.slot +
        " is kept in step with its primary's and can be read only after a promotion");
  }
  // Whoever held the slot while we waited for it may have left bookmarks.
  if (view.state != SlotState::present) {
    co_await peek_bookmarks();
    // After them, or what came meanwhile would be ahead of the server.
    const auto sql = co_await started_.sql->lease();
    co_await daemon::read_server_position(*sql, started_.server);
  }
  const auto decision = decide_slot(started_.server, view.state, view.reason, settings.create_slot,
                                    memories(), context_.options.acceptance);
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    throw StopError(refusal->exit_code, refusal->what);
  }
  const auto& use = std::get<SlotUse>(decision);
  gap_accepted_ = use.gap_accepted;
  const bool published = co_await find_publication();
  if (!published && view.state == SlotState::present) throw publication_too_late();
  if (use.create) {
    co_await require_startable(context_, started_, view.state == SlotState::missing);
    if (!published) co_await make_publication();
    if (view.state == SlotState::invalidated) {
      co_await replication::drop_replication_slot(*started_.stream, settings.slot, false);
    }
    co_await create_slot();
  }
  co_return !slot || !slot->active;
}

// False: it is missing, and may be made.
asio::awaitable<bool> SessionStart::find_publication() {
  const auto& settings = context_.settings.source;
  const auto sql = co_await started_.sql->lease();
  const auto found = co_await replication::find_publication(*sql, settings.publication);
  if (found) co_return true;
  if (settings.create_publication && !started_.bookmark_exists) co_return false;
  throw missing_publication(settings, started_.server.identity.database, started_.bookmark_exists);
}

// Decoding looks a publication up as it was at each change: one made now does not exist for what an
// older slot still holds.
StopError SessionStart::publication_too_late() const {
  const auto& settings = context_.settings.source;
  return {exit_settings,
          "the publication " + settings.publication + " does not exist, and the replication slot " +
              settings.slot +
              " does already: a publication made now would be too late for it. Drop the slot"
              " (pgcourier slot drop -c FILE) and start again, or make the publication and advance"
              " the slot past it (pg_replication_slot_advance)"};
}

asio::awaitable<void> SessionStart::make_publication() {
  const auto sql = co_await started_.sql->lease();
  co_await create_publication(*sql, context_.settings.source);
}

// Last of all that can fail: an orphan slot fills the primary's disk (delivery.md 9).
asio::awaitable<void> SessionStart::create_slot() {
  const int version = started_.stream->server_version();
  protocol::CreateLogicalSlot options;
  options.slot = context_.settings.source.slot;
  options.failover = version >= 170000 && !started_.server.standby;
  options.two_phase = context_.settings.source.two_phase;
  context_.status.enter(PipelineState::connecting, "creating the replication slot");
  // tell_blockers() never ends by itself.
  co_await first_of(send_create(options), tell_blockers());
  fresh_slot_ = true;
  log::info("replication slot created", {{"slot", options.slot}});
}

asio::awaitable<void> SessionStart::send_create(const protocol::CreateLogicalSlot& options) {
  const replication::AnswerLimit none(*started_.stream, 0ms);
  co_await replication::create_replication_slot(*started_.stream, options);
}

// The server makes a slot only when every transaction that was running has ended.
asio::awaitable<void> SessionStart::tell_blockers() {
  std::int32_t told = -1;
  for (;;) {
    co_await pause(context_.io, 1s);
    std::vector<replication::Blocker> blockers;
    try {
      const auto sql = co_await started_.sql->lease();
      blockers = co_await replication::find_blockers(*sql, started_.stream_pid);
    } catch (const replication::ConnectionError&) {
      continue;  // the slot may be made without it
    }
    if (blockers.empty()) continue;
    const auto& blocker = blockers.front();
    const std::string who = blocker.pid == 0
                                ? "a prepared transaction (see pg_prepared_xacts)"
                                : "the transaction of process " + std::to_string(blocker.pid) +
                                      " (" + blocker.application_name + "), open for " +
                                      std::to_string(blocker.transaction_seconds) + " s";
    context_.status.enter(PipelineState::connecting,
                          "creating the replication slot: it waits for the end of " + who);
    if (blocker.pid == told) continue;
    told = blocker.pid;
    log::warn("creating the replication slot waits for the end of a transaction",
              {{"slot", context_.settings.source.slot}, {"of", who}});
  }
}

// True: copy-both mode. False: the slot is busy after all.
asio::awaitable<bool> SessionStart::try_start_replication() {
  const int version = started_.stream->server_version();
  const auto& settings = context_.settings.source;
  protocol::StartLogicalReplication options;
  options.slot = settings.slot;
  options.publications = {settings.publication};
  options.messages = settings.messages;
  if (settings.two_phase) {
    started_.stream_options.two_phase = true;
    options.two_phase = true;
    options.proto_version = 3;
  }
  const bool streams = settings.streaming && !context_.memory.next_without_streaming;
  if (streams) {
    started_.stream_options.streaming = protocol::Streaming::on;
    options.streaming = "on";
    options.proto_version = std::max(options.proto_version, 2);
  }
  if (version >= 160000) {
    options.origin = settings.origin;
  } else if (settings.origin != "any") {
    throw StopError(exit_settings, "source.origin: none needs PostgreSQL 16; this server is " +
                                       context_.status.source().server_version);
  }
  try {
    co_await started_.stream->start_copy_both(protocol::start_replication(options));
  } catch (const protocol::ServerError& error) {
    if (error.sqlstate() != object_in_use) throw;
    co_return false;
  }
  context_.memory.next_without_streaming = false;
  co_return true;
}

// A warm standby: the slot itself is the lock (delivery.md 10).
asio::awaitable<void> SessionStart::wait_for_slot() {
  const auto& settings = context_.settings;
  std::optional<replication::Holder> holder;
  {
    const auto sql = co_await started_.sql->lease();
    const auto slot = co_await replication::find_slot(*sql, settings.source.slot);
    if (!slot || !slot->active || !slot->active_pid) co_return;
    holder = co_await replication::find_backend(*sql, *slot->active_pid);
  }
  const std::string who =
      holder ? "process " + std::to_string(holder->pid) + " (" + holder->application_name + ")"
             : "another process";
  if (context_.options.no_wait) {
    throw StopError(exit_slot_in_use, "the replication slot " + settings.source.slot +
                                          " is in use by " + who + ", and --no-wait was given");
  }
  const bool stranger = holder && is_stranger(*holder, settings.name);
  const auto now = Clock::now();
  if (!stranger) stranger_since_ = {};
  if (stranger && stranger_since_ == Clock::time_point{}) stranger_since_ = now;
  if (stranger && now - stranger_since_ >= 10s) {
    throw StopError(exit_settings, "the replication slot " + settings.source.slot +
                                       " is used by another program, " + who +
                                       ": give each pipeline a slot of its own");
  }
  if (context_.status.state() != PipelineState::waiting_for_slot) {
    log::info("the slot is in use: waiting as a standby",
              {{"slot", settings.source.slot}, {"holder", who}});
  }
  context_.status.enter(PipelineState::waiting_for_slot, "standby: the slot is in use by " + who);
  co_await pause(context_.io, now - waiting_since_ < 10s ? 250ms : 2000ms);
}

}  // namespace pgcourier::cdc::daemon
