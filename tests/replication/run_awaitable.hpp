// Runs one coroutine to its end.
#pragma once

#include <utility>

#include "replication/asio.hpp"

namespace pgcourier::replication::test {

template <typename T>
T run(asio::io_context& io, asio::awaitable<T> task) {
  auto result = asio::co_spawn(io, std::move(task), asio::use_future);
  io.restart();
  io.run();
  return result.get();
}

}  // namespace pgcourier::replication::test
