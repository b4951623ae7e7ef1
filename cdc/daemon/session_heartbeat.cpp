// `source.heartbeat`: WAL that nothing of ours is in must not be kept for us.
#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/session.hpp"
#include "cdc/daemon/single_row.hpp"
#include "cdc/heartbeat.hpp"
#include "protocol/server_error.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// Where the server is, and where the message was written, if WAL grew since $2. A standby writes
// nothing. Without waiting for standbys: that one is lost does no harm.
constexpr const char* beat_query = R"(
  SELECT here, CASE WHEN $1::bool AND here > $2::pg_lsn THEN
                 pg_logical_emit_message(set_config('synchronous_commit', 'off', true) = 'off', $3, '')
               END
    FROM (SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END AS here) AS position)";

}  // namespace

asio::awaitable<void> Session::heartbeat_loop() {
  const auto interval = context_.settings.source.heartbeat;
  if (interval.count() == 0) {
    asio::steady_timer never(context_.io, Clock::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  }
  protocol::Lsn confirmed_then;
  protocol::Lsn server_then{UINT64_MAX};
  std::string told;
  for (;;) {
    co_await pause(context_.io, interval);
    if (ending_) continue;
    const bool unmoved = feedback_->confirmed() == confirmed_then;
    confirmed_then = feedback_->confirmed();
    std::string failure;
    try {
      co_await first_of(beat(unmoved, server_then), give_up_on_sql(context_.io));
    } catch (const protocol::ServerError& error) {
      failure = error.what();
    } catch (const replication::ConnectionError& error) {
      failure = error.what();
    }
    if (!failure.empty() && failure != told) {
      log::warn("no heartbeat could be written", {{"reason", failure}});
    }
    told = failure;
  }
}

asio::awaitable<void> Session::beat(bool unmoved, protocol::Lsn& server_then) {
  const auto sql = co_await started_.sql->lease();
  const std::vector<std::optional<std::string>> parameters{
      unmoved ? "t" : "f", protocol::to_string(server_then), std::string(heartbeat_prefix)};
  const auto answer = co_await (*sql).query(beat_query, parameters);
  const auto& row = single_row(answer, 2, "the heartbeat");
  if (row[1]) log::debug("heartbeat", {{"lsn", *row[1]}});
  // As long as nothing is confirmed, growth is growth since then.
  const auto at = protocol::parse_lsn(row[1] ? *row[1] : row[0].value_or(""));
  if (at && (!unmoved || row[1])) server_then = *at;
}

}  // namespace pgcourier::cdc::daemon
