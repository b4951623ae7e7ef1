// What one run of the program knows beyond a session.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cdc/bookmark.hpp"
#include "cdc/sink.hpp"
#include "protocol/lsn.hpp"
#include "sinks/sink_factory.hpp"

namespace pgcourier::cdc::daemon {

// Owned by the daemon, filled in by its sessions, one after the other. By sink id.
struct RunMemory {
  // --until-lsn now, as the first session found it.
  std::optional<protocol::Lsn> until;

  // How far a sink without a bookmark of its own came: a slot that moves or vanishes between two
  // sessions is a gap for it too.
  std::map<std::string, Bookmark> positions;

  // The next session asks for transactions when they have ended: see StreamingGivenUp.
  bool next_without_streaming = false;

  sinks::SinkMemory sinks;

  struct Sum {
    SinkTotals totals;  // checksum: of the last session
    protocol::Lsn confirmed;
    std::uint64_t sessions = 0;
  };
  std::map<std::string, Sum> sums;
};

}  // namespace pgcourier::cdc::daemon
