// Coroutines that live and end together.
#pragma once

#include <array>
#include <boost/asio.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <exception>
#include <tuple>
#include <utility>

namespace pgcourier::cdc::daemon {

namespace asio = boost::asio;

// Runs all until the first one ends, in whichever way; cancels the others and waits for their ends.
// Rethrows what the first one threw.
template <typename... Coroutines>
asio::awaitable<void> first_of(Coroutines... coroutines) {
  const auto executor = co_await asio::this_coro::executor;
  auto outcome = co_await asio::experimental::make_parallel_group(
                     asio::co_spawn(executor, std::move(coroutines), asio::deferred)...)
                     .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const auto errors = std::apply(
      [](const auto&, auto... error) {
        return std::array<std::exception_ptr, sizeof...(Coroutines)>{error...};
      },
      outcome);
  const auto first = std::get<0>(outcome)[0];
  if (errors[first]) std::rethrow_exception(errors[first]);
}

}  // namespace pgcourier::cdc::daemon
