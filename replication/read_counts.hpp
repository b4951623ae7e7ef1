// How a connection's bytes came; for measuring.
#pragma once

#include <cstdint>

namespace pgcourier::replication {

struct ReadCounts {
  std::uint64_t reads = 0;   // those that found nothing included
  std::uint64_t sleeps = 0;  // without waiting on the socket
  std::uint64_t waits = 0;   // on the socket
  std::uint64_t bytes = 0;
};

}  // namespace pgcourier::replication
