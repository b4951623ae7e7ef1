// What the stream itself can't tell: is the server still there, is it waiting for us to stop
// (delivery.md 6 and 12)? Asked on the second connection.
#include <algorithm>
#include <utility>

#include "cdc/daemon/checks/publication_checks.hpp"
#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/server_notices.hpp"
#include "cdc/daemon/session.hpp"
#include "cdc/daemon/single_row.hpp"
#include "cdc/daemon/status_message.hpp"
#include "protocol/server_error.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;

namespace {

constexpr auto watch_interval = 1s;
// Between two looks when nothing is wrong.
constexpr auto quiet_look_interval = 10s;
// Between two warnings of one stall.
constexpr auto stall_reminder = 30s;
// Of a message that is under way: less is none that anybody sends.
constexpr double least_bytes_a_second = 1024;
// Silence after which the server is asked for a sign of life.
constexpr std::chrono::milliseconds ask_after = 30s;

constexpr const char* look_query = R"(
  SELECT here, pg_wal_lsn_diff(here, s.restart_lsn),
         a.pid IS NOT NULL, pg_is_in_recovery(), a.wait_event = 'WaitForStandbyConfirmation'
    FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                 ELSE pg_current_wal_lsn() END AS here) AS position
         LEFT JOIN pg_replication_slots s ON s.slot_name = $1
         LEFT JOIN pg_stat_activity a ON a.pid = $2::int)";

}  // namespace

asio::awaitable<void> Session::watch_loop() {
  Clock::time_point last_look{};
  Clock::time_point stopping_since{};
  for (;;) {
    co_await pause(context_.io, watch_interval);
    const auto now = Clock::now();
    tell_stalls(now);
    if (!reading_) require_connection();
    // Not reading: in the middle of a transaction too, which settled() does not count, and while
    // the catalog is asked, which a server that shuts down no longer answers.
    const bool stuck = !reading_ || !pipeline_->settled();
    const bool silent = ask_if_silent(now);
    const bool watched = started_.server.standby || standby_wait_seen_;
    const auto look_interval = watched ? watch_interval : quiet_look_interval;
    if (!stuck && !silent && now - last_look < look_interval) continue;
    last_look = now;
    const SourceView view = co_await look_at_source();

    if (silent && (stands_in_message() || view != SourceView::walsender_there)) {
      throw replication::ConnectionError("no word from " + started_.stream->peer() + " for " +
                                         std::to_string(silence_timeout_ / 1s) +
                                         " s (source.silence_timeout), though asked");
    }
    if (silent) {
      log::warn("the server is silent, but its walsender is there: a long decode, or a lock",
                {{"walsender_pid", static_cast<std::int64_t>(started_.stream_pid)}});
      last_heard_ = now;
    }
    if (!stuck || view != SourceView::shutting_down) {
      stopping_since = {};
      continue;
    }
    if (stopping_since == Clock::time_point{}) {
      stopping_since = now;
      log::warn("the server is shutting down while events wait for a sink");
      pipeline_->flush();
    }
    if (now - stopping_since >= context_.settings.source.shutdown_grace) {
      throw replication::ConnectionError(
          "the server is shutting down and the sinks did not drain within source.shutdown_grace:"
          " the stream is closed unconfirmed, the rest comes again");
    }
  }
}

// While nothing is read, our status messages alone meet a connection that was lost (delivery.md 6).
void Session::require_connection() const {
  const auto failure = started_.stream->send_failure();
  if (failure.empty()) return;
  throw replication::ConnectionError("the connection to " + started_.stream->peer() +
                                     " was lost while a sink was waited for: " + failure);
}

// A fast shutdown ends ordinary sessions at once (57P01) and takes no new ones (57P03, or nobody
// listens); one that only lost its session gets another.
asio::awaitable<Session::SourceView> Session::look_at_source() {
  auto view = SourceView::unknown;
  for (int attempt = 0; attempt < 2 && view == SourceView::unknown; ++attempt) {
    try {
      co_await first_of(look(view), give_up_on_sql(context_.io));
    } catch (const protocol::ServerError& error) {
      if (error.sqlstate() == "57P03") view = SourceView::shutting_down;
    } catch (const replication::ConnectionError&) {
      if (attempt > 0) view = SourceView::shutting_down;
    }
  }
  co_return view;
}

asio::awaitable<void> Session::look(SourceView& view) {
  const auto sql = co_await started_.sql->lease();
  const std::vector<std::optional<std::string>> parameters{context_.settings.source.slot,
                                                           std::to_string(started_.stream_pid)};
  const auto answer = co_await (*sql).query(look_query, parameters);
  const auto& row = single_row(answer, 5, "pg_stat_activity");
  if (const auto at = protocol::parse_lsn(row[0].value_or(""))) context_.status.server_at(*at);
  if (const auto& kept = row[1]) {
    context_.status.source().retained_wal_bytes = std::strtoull(kept->c_str(), nullptr, 10);
  }
  view = row[2] == "t" ? SourceView::walsender_there : SourceView::walsender_gone;
  tell_standby_wait(row[4] == "t");
  if (started_.server.standby && row[3] == "f") notice_promotion();
}

// synchronized_standby_slots: what a failover could lose is not sent (edge case 15). Every commit
// waits for a moment: two looks in a row must see it.
void Session::tell_standby_wait(bool seen) {
  auto& told = context_.status.source().waits_for_standby;
  const bool waits = seen && standby_wait_seen_;
  standby_wait_seen_ = seen;
  if (waits == told) return;
  told = waits;
  if (waits) {
    log::warn("the server sends no more until its standbys have caught up",
              {{"see", "synchronized_standby_slots"}});
  } else {
    log::info("the server no longer waits for its standbys");
  }
}

// The walsender lives on through a promotion and tells nothing of it, but the bookmarks must not
// name a timeline that ended before what they cover.
void Session::notice_promotion() {
  if (promoted_ || !pipeline_) return;
  promoted_ = true;
  log::warn("the standby was promoted: delivering what was received, then starting anew");
  begin_end();
}

void Session::tell_notices() {
  if (!started_.stream) return;
  const auto notices = started_.stream->take_notices();
  log_notices(notices, "stream");
  const auto& source = context_.settings.source;
  const bool is_missing = std::any_of(notices.begin(), notices.end(), [&](const auto& notice) {
    return tells_of_missing_publication(notice, source.publication);
  });
  if (pipeline_ && is_missing) throw publication_was_missing(source, started_.bookmark_exists);
}

// A full disk, a broker that does not answer (delivery.md 13 and 19).
void Session::tell_stalls(Clock::time_point now) {
  stalls_told_.resize(started_.sinks.size());
  for (std::size_t i = 0; i < started_.sinks.size(); ++i) {
    const auto& sink = *started_.sinks[i];
    auto& told = stalls_told_[i];
    const auto reason = sink.stalled_because();
    if (reason.empty()) {
      if (told) log::info("the sink takes events again", {{"sink", sink.id()}});
      told.reset();
    } else if (!told || now - *told >= stall_reminder) {
      log::warn("the sink can make no progress: nothing is confirmed until it does",
                {{"sink", sink.id()}, {"reason", reason}});
      told = now;
    }
  }
}

// Of a silent server, since it was last heard or found to be silent: a walsender at work does not
// stop in the middle of a message. What came is cut, or its length is wrong and swallows what
// follows.
bool Session::stands_in_message() {
  const std::uint64_t bytes = started_.stream->read_counts().bytes;
  const std::uint64_t came = bytes - std::exchange(bytes_when_silent_, bytes);
  const auto seconds = std::chrono::duration<double>(silence_timeout_).count();
  return started_.stream->in_message() &&
         static_cast<double>(came) < least_bytes_a_second * seconds;
}

// The clock runs only while we read: a closed window is our own silence. True: nothing came for
// silence_timeout, though we asked half way.
bool Session::ask_if_silent(Clock::time_point now) {
  if (!reading_) {
    last_heard_ = now;
    return false;
  }
  const auto silent = now - last_heard_;
  if (silent >= std::min(ask_after, silence_timeout_ / 2) && !asked_after_silence_) {
    asked_after_silence_ = true;
    send_status(*started_.stream, {feedback_->received(), feedback_->confirmed()}, true);
  }
  return silent >= silence_timeout_;
}

}  // namespace pgcourier::cdc::daemon
