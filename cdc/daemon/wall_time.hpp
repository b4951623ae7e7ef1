// Points in time as logs and the API print them.
#pragma once

#include <chrono>
#include <string>

namespace pgcourier::cdc::daemon {

using WallTime = std::chrono::system_clock::time_point;

// "2026-11-22T10:00:00.123Z": UTC, milliseconds cut off.
std::string to_iso8601(WallTime time);

}  // namespace pgcourier::cdc::daemon
