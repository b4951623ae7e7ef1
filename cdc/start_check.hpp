// May this pipeline go on from here? Rules 7–9 of delivery.md as one pure decision table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cdc/bookmark.hpp"
#include "protocol/lsn.hpp"
#include "protocol/timeline_history.hpp"

namespace pgcourier::cdc {

// One sink's memory of earlier sessions.
struct SinkMemory {
  std::string sink_id;
  bool keeps_bookmark = true;
  std::optional<Bookmark> bookmark;
};

// What an operator allowed on the command line. Each names the one situation it is for, so that a
// flag left in a manifest accepts nothing else later.
struct Acceptance {
  std::optional<protocol::Lsn> gap;     // --accept-gap: lowest_position() of the bookmarks
  std::optional<std::string> identity;  // --accept-identity: as the refusal prints it
};

// Why pgcourier does not start. `what` has the positions and the remedy.
struct Refusal {
  int exit_code = 66;
  std::string what;
};

// --- Before the slot is taken -------------------------------------------------------------------

enum class SlotState : std::uint8_t { present, missing, invalidated };

struct SlotUse {
  bool create = false;
  // A slot made anew over bookmarks: what lies between is lost, and was accepted.
  bool gap_accepted = false;
};

struct ServerView {
  StreamIdentity identity;
  protocol::Lsn flushed;  // IDENTIFY_SYSTEM's xlogpos; on a standby: replayed
  bool standby = false;
  std::vector<protocol::TimelineSwitch> history;  // of its timeline; empty on timeline 1
  protocol::Lsn confirmed_flush;                  // of the slot, read after CopyBothResponse
};

// `reason`: why a slot is invalidated. Of `server` the slot's position is not looked at. A slot
// that is gone with the server it was on (a restored backup, another cluster) is told by what the
// bookmarks say of that, and --accept-identity makes it anew.
std::variant<SlotUse, Refusal> decide_slot(const ServerView& server, SlotState state,
                                           const std::string& reason, bool create_slot,
                                           std::span<const SinkMemory> sinks,
                                           const Acceptance& acceptance);

// --- With the slot held -------------------------------------------------------------------------

// Where each sink goes on, in the order given, and what an operator should know.
struct StartPositions {
  std::vector<Position> positions;
  std::vector<std::string> warnings;
};

// A standby that has not replayed up to what was delivered.
struct WaitForReplay {
  protocol::Lsn until;
};

// `fresh_slot`: this run made the slot, so starting at it needs no warning. `gap_accepted`: as
// decide_slot() said.
std::variant<StartPositions, WaitForReplay, Refusal> check_start(const ServerView& server,
                                                                 std::span<const SinkMemory> sinks,
                                                                 const Acceptance& acceptance,
                                                                 bool fresh_slot,
                                                                 bool gap_accepted);

// The lowest position of all bookmarks; empty without any.
std::optional<protocol::Lsn> lowest_position(std::span<const SinkMemory> sinks);

}  // namespace pgcourier::cdc
