// `source.heartbeat`: WAL that nothing of ours is in must not be kept for us.
#include <algorithm>
#include <utility>

#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/session.hpp"
#include "cdc/daemon/single_row.hpp"
#include "cdc/heartbeat.hpp"
#include "protocol/server_error.hpp"

namespace pgcourier::cdc::daemon {

namespace {

// Written if there is WAL that is not confirmed ($1). A standby writes nothing. Without waiting for
// standbys: that one is lost does no harm.
constexpr const char* beat_query = R"(
  SELECT CASE WHEN NOT pg_is_in_recovery() AND pg_current_wal_lsn() > $1::pg_lsn THEN
           pg_logical_emit_message(set_config('synchronous_commit', 'off', true) = 'off', $2, '')
         END)";

}  // namespace

asio::awaitable<void> Session::heartbeat_loop() {
  const auto interval = context_.settings.source.heartbeat;
  if (interval.count() == 0) {
    asio::steady_timer never(context_.io, Clock::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  }
  protocol::Lsn confirmed_then;
  std::string told;
  for (;;) {
    co_await pause(context_.io, interval);
    if (ending_) continue;
    const auto confirmed = std::max(feedback_->confirmed(), started_.server.confirmed_flush);
    if (std::exchange(confirmed_then, confirmed) != confirmed) continue;
    std::string failure;
    try {
      co_await first_of(beat(confirmed), give_up_on_sql(context_.io));
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

asio::awaitable<void> Session::beat(protocol::Lsn confirmed) {
  const auto sql = co_await started_.sql->lease();
  const std::vector<std::optional<std::string>> parameters{protocol::to_string(confirmed),
                                                           std::string(heartbeat_prefix)};
  const auto answer = co_await (*sql).query(beat_query, parameters);
  const auto& row = single_row(answer, 1, "the heartbeat");
  if (row[0]) log::debug("heartbeat", {{"lsn", *row[0]}});
}

}  // namespace pgcourier::cdc::daemon
