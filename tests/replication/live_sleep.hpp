// What is under way on one session, until another one acts.
#pragma once

#include <string>

#include "tests/replication/live_support.hpp"

namespace pgcourier::replication::test {

// Until that process of the server sleeps, as another session sees it.
inline void wait_asleep(Session& watcher, int process_id) {
  const std::string sleeping =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " +
      std::to_string(process_id);
  while (watcher.value(sleeping) == "0") continue;
}

// Runs `flow` up to its first wait, then `act`, then both to their ends.
template <typename Act>
void run_with(asio::io_context& io, asio::awaitable<void> flow, Act act) {
  auto result = asio::co_spawn(io, std::move(flow), asio::use_future);
  asio::post(io, act);
  io.restart();
  io.run();
  result.get();
}

}  // namespace pgcourier::replication::test
