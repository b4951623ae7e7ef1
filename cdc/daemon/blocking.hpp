// Calls that block run on worker threads and complete on the io thread (delivery.md 15).
#pragma once

#include <type_traits>
#include <utility>

#include "replication/asio.hpp"

namespace pgcourier::cdc::daemon {

namespace asio = boost::asio;

namespace detail {

template <typename Call>
asio::awaitable<std::invoke_result_t<Call>> invoke(Call call) {
  co_return call();
}

}  // namespace detail

// Runs `call` on `workers`; what it throws is thrown to the caller. What it captures must live
// until it returns: a call that blocks can't be cancelled.
template <typename Call>
  requires std::is_trivially_destructible_v<Call>
asio::awaitable<std::invoke_result_t<Call>> on_worker(asio::thread_pool& workers, Call call) {
  // Without a slot: a cancellation would reach the coroutine on the other thread, unguarded.
  return asio::co_spawn(
      workers, detail::invoke(std::move(call)),
      asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

}  // namespace pgcourier::cdc::daemon
