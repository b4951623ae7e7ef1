// The demo's workload: a small shop.
#pragma once

#include <cstdint>
#include <random>

#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// Writes as a shop would: customers, orders with their lines, payments, now and then a deletion.
class ShopWriter {
 public:
  explicit ShopWriter(replication::Connection& sql) : sql_(sql) {}

  boost::asio::awaitable<void> make_schema();
  // One transaction.
  boost::asio::awaitable<void> write_some();

 private:
  replication::Connection& sql_;
  std::mt19937 random_{20261122};  // the same shop each time
  std::uint64_t round_ = 0;
};

}  // namespace pgcourier::cdc::daemon
