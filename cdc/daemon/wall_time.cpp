#include "cdc/daemon/wall_time.hpp"

#include <fmt/chrono.h>

namespace pgcourier::cdc::daemon {

std::string to_iso8601(WallTime time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(milliseconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds),
                     (milliseconds - seconds).count());
}

}  // namespace pgcourier::cdc::daemon
