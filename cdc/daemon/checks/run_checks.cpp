#include "cdc/daemon/checks/run_checks.hpp"

#include <exception>
#include <variant>

#include "cdc/daemon/blocking.hpp"
#include "cdc/daemon/checks/sink_checks.hpp"
#include "cdc/daemon/checks/slot_checks.hpp"
#include "cdc/daemon/checks/source_checks.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/server_view.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "protocol/server_error.hpp"
#include "replication/catalog.hpp"
#include "replication/session_settings.hpp"
#include "sinks/sink_factory.hpp"

namespace pgcourier::cdc::daemon {

namespace {

constexpr std::string_view too_many_connections = "53300";

void log_warnings(const Findings& findings) {
  for (const auto& finding : findings.all()) {
    if (finding.severity != Severity::warning) continue;
    log::warn("a check warns",
              {{"check", finding.name}, {"what", finding.what}, {"remedy", finding.remedy}});
  }
}

const char* encryption_text(replication::Encryption encryption) {
  switch (encryption) {
    case replication::Encryption::tls:
      return ", TLS";
    case replication::Encryption::gss:
      return ", GSSAPI encryption";
    case replication::Encryption::none:
      break;
  }
  return ", no TLS";
}

asio::awaitable<void> check_sinks_on_worker(const SessionContext& context, const TableNames& tables,
                                            Findings& findings) {
  const auto* settings = &context.settings;
  const auto* names = &tables;
  auto* found = &findings;
  co_await on_worker(context.workers,
                     [settings, names, found] { check_sinks(*settings, *names, *found); });
}

asio::awaitable<TableNames> look_at_publication(const SessionContext& context,
                                                StartedSession& started, Findings& findings) {
  const auto sql = co_await started.sql->lease();
  co_return co_await check_publication(*sql, context.settings.source,
                                       started.server.identity.database, started.bookmark_exists,
                                       findings);
}

class Checks {
 public:
  Checks(const SessionContext& context, Findings& findings)
      : context_(context), findings_(findings) {}

  asio::awaitable<void> run() {
    check_http(context_.settings, context_.status, findings_);
    const bool connected = co_await step("connection", &Checks::connect);
    if (connected) co_await look_at_source();
    co_await step("sinks", &Checks::look_at_sinks);
    co_await discard(context_.workers, std::move(started_));
  }

 private:
  using Part = asio::awaitable<void> (Checks::*)();

  // Runs one part; false: it ended early, which is now a finding. Parts are named, and awaited in
  // statements of their own: GCC 12 makes wrong code of awaitables inside larger expressions.
  asio::awaitable<bool> step(const char* name, Part part) {
    std::exception_ptr failure;
    try {
      co_await (this->*part)();
    } catch (const std::exception&) {
      failure = std::current_exception();
    }
    if (failure) findings_.failure(name, failure, started_.bookmark_exists);
    co_return !failure;
  }

  asio::awaitable<void> look_at_source() {
    // Ours is at work on its bookmarks: they move, and it has checked them.
    if (user_ != SlotUser::ourselves) co_await peek_bookmarks();
    co_await step("server", &Checks::look_at_server);
    co_await step("publication", &Checks::look_at_publication);
    co_await step("bookmark", &Checks::compare_positions);
  }

  asio::awaitable<void> look_at_sinks() {
    co_await check_sinks_on_worker(context_, tables_, findings_);
  }

  asio::awaitable<void> connect() {
    const auto target = connection_target(context_.settings);
    started_.server.identity.database = target.database;
    started_.sql = std::make_unique<SqlSession>(context_.io, target);
    co_await find_slot();
    // Shows at once that the role may replicate and that a sender is left.
    started_.stream = std::make_unique<replication::Connection>(
        context_.io, context_.settings.limits.message_bytes);
    try {
      co_await open_stream(target);
    } catch (const protocol::ServerError& error) {
      // Our run has its sender.
      if (error.sqlstate() != too_many_connections || user_ != SlotUser::ourselves) throw;
      findings_.warning("senders_left", error.what(),
                        "raise max_wal_senders: a standby of this pipeline could not connect");
    }
  }

  asio::awaitable<void> open_stream(const config::ConnectionTarget& target) {
    auto& stream = *started_.stream;
    co_await stream.open(target, replication::Purpose::replication,
                         replication::session_settings());
    co_await identify_server(stream, context_.settings.source.slot, started_.server);
    const auto& told = stream.server().parameters;
    const auto version = told.find("server_version");
    findings_.ok("connection", stream.peer() + ", PostgreSQL " +
                                   (version == told.end() ? "?" : version->second) +
                                   encryption_text(stream.encryption()) + ", database " +
                                   started_.server.identity.database);
  }

  asio::awaitable<void> find_slot() {
    const auto sql = co_await started_.sql->lease();
    slot_ = co_await replication::find_slot(*sql, context_.settings.source.slot);
    if (slot_ && slot_->active_pid) {
      holder_ = co_await replication::find_backend(*sql, *slot_->active_pid);
    }
    user_ = user_of(slot_, holder_, context_.settings.name);
  }

  asio::awaitable<void> peek_bookmarks() {
    co_await step("sinks", &Checks::make_sinks);
    for (const auto& sink : started_.sinks) {
      peeked_ = sink.get();
      const bool read = co_await step("bookmark", &Checks::peek);
      bookmarks_read_ = bookmarks_read_ && read;
    }
  }

  asio::awaitable<void> make_sinks() {
    started_.sinks = sinks::make_sinks(context_.settings, context_.memory.sinks);
    co_return;
  }

  // Of peeked_.
  asio::awaitable<void> peek() {
    auto* sink = peeked_;
    memories_.push_back({sink->id(), sink->keeps_bookmark(), std::nullopt});
    auto bookmark = co_await on_worker(context_.workers, [sink] { return sink->peek_bookmark(); });
    if (!sink->keeps_bookmark()) co_return;
    started_.bookmark_exists = started_.bookmark_exists || bookmark;
    findings_.ok("bookmark",
                 "sink " + sink->id() +
                     (bookmark ? " stands at " + protocol::to_string(bookmark->position.position)
                               : " has none"));
    memories_.back().bookmark = std::move(bookmark);
  }

  asio::awaitable<void> look_at_server() {
    const auto sql = co_await started_.sql->lease();
    co_await check_server(*sql, context_.settings, !slot_, started_.bookmark_exists, findings_);
    co_await read_server_position(*sql, started_.server);
    check_slot(slot_, holder_, context_.settings, started_.server, memories_, findings_);
  }

  asio::awaitable<void> look_at_publication() {
    tables_ = co_await daemon::look_at_publication(context_, started_, findings_);
  }

  // The slot was read before the bookmarks and the server's position is read after them, so none
  // seems to be ahead of what it can't be ahead of.
  asio::awaitable<void> compare_positions() {
    if (!slot_ || !slot_->confirmed_flush_lsn || !bookmarks_read_ || memories_.empty()) co_return;
    const auto sql = co_await started_.sql->lease();
    co_await read_server_position(*sql, started_.server);
    started_.server.confirmed_flush = *slot_->confirmed_flush_lsn;
    const auto verdict = check_start(started_.server, memories_, Acceptance{}, false, false);
    if (const auto* refusal = std::get_if<Refusal>(&verdict)) {
      findings_.error("bookmark", refusal->exit_code, refusal->what, {});
    } else if (const auto* wait = std::get_if<WaitForReplay>(&verdict)) {
      findings_.warning("bookmark",
                        "the standby has not replayed up to " + protocol::to_string(wait->until),
                        "run would wait until it has");
    } else {
      for (const auto& warning : std::get<StartPositions>(verdict).warnings) {
        findings_.warning("bookmark", warning, {});
      }
    }
  }

  const SessionContext& context_;
  Findings& findings_;
  StartedSession started_;
  std::optional<replication::SlotInfo> slot_;
  std::optional<replication::Holder> holder_;
  SlotUser user_ = SlotUser::nobody;
  Sink* peeked_ = nullptr;
  std::vector<SinkMemory> memories_;
  bool bookmarks_read_ = true;
  TableNames tables_;
};

}  // namespace

asio::awaitable<void> run_checks(const SessionContext& context, Findings& findings) {
  Checks checks(context, findings);
  co_await checks.run();
}

asio::awaitable<void> require_startable(const SessionContext& context, StartedSession& started,
                                        bool slot_is_missing) {
  Findings findings;
  {
    const auto sql = co_await started.sql->lease();
    co_await check_server(*sql, context.settings, slot_is_missing, started.bookmark_exists,
                          findings);
  }
  const auto tables = co_await look_at_publication(context, started, findings);
  co_await check_sinks_on_worker(context, tables, findings);
  log_warnings(findings);
  const auto* error = findings.first_error();
  if (!error) co_return;
  const std::string what = error->what + (error->remedy.empty() ? "" : ": " + error->remedy);
  if (error->exit_code == exit_unreachable) throw SinkError(SinkFailure::unavailable, what);
  throw StopError(error->exit_code, what);
}

asio::awaitable<TableNames> published_tables(const SessionContext& context, StartedSession& started,
                                             bool warn) {
  Findings findings;
  auto tables = co_await look_at_publication(context, started, findings);
  if (warn) log_warnings(findings);
  co_return tables;
}

}  // namespace pgcourier::cdc::daemon
