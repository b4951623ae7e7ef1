// The content of a timeline history file, as TIMELINE_HISTORY gives it, §55.4.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/lsn.hpp"

namespace pgcourier::protocol {

// `timeline` was left at `switch_lsn` for the next one in the list, or for the file's own.
struct TimelineSwitch {
  std::uint32_t timeline = 0;
  Lsn switch_lsn;

  friend bool operator==(const TimelineSwitch&, const TimelineSwitch&) = default;
};

// Oldest first. Throws ProtocolError unless every line is empty, a comment, or a timeline greater
// than the one before with a position not before the one before.
std::vector<TimelineSwitch> read_timeline_history(std::string_view content);

}  // namespace pgcourier::protocol
