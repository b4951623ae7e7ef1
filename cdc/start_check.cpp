#include "cdc/start_check.hpp"

#include <algorithm>

namespace pgcourier::cdc {

using protocol::Lsn;
using protocol::to_string;

namespace {

std::string describe(const StreamIdentity& identity) {
  return "system " + identity.system_identifier + ", timeline " +
         std::to_string(identity.timeline) + ", database " + identity.database + ", slot " +
         identity.slot;
}

// What --accept-identity must say: this server and these bookmarks, of which `lowest` is the
// position that is furthest behind; nothing else.
std::string acceptance_id(const ServerView& server, Lsn lowest) {
  return server.identity.system_identifier + "." + std::to_string(server.identity.timeline) + "@" +
         to_string(lowest);
}

Refusal refuse_identity(const ServerView& server, const SinkMemory& sink, Lsn lowest,
                        const std::string& why) {
  return {66, "sink " + sink.sink_id + ": " + why + "; its bookmark is of " +
                  describe(sink.bookmark->identity) + " at " +
                  to_string(sink.bookmark->position.position) + " (delivered " +
                  to_string(sink.bookmark->position.delivered) + "), the server is " +
                  describe(server.identity) + " at " + to_string(server.flushed) +
                  ". Nothing was confirmed. If the sink shall go on from this server's slot, start"
                  " once with --accept-identity=" +
                  acceptance_id(server, lowest)};
}

// Where the server's history left the bookmark's timeline; empty: never was on it.
std::optional<Lsn> end_of_common_history(const ServerView& server, std::uint32_t timeline) {
  if (timeline == server.identity.timeline) return server.flushed;
  const auto left = std::find_if(server.history.begin(), server.history.end(),
                                 [&](const auto& point) { return point.timeline == timeline; });
  if (left == server.history.end()) return std::nullopt;
  return left->switch_lsn;
}

// One sink's verdict: its position, or why not.
using Verdict = std::variant<Position, WaitForReplay, Refusal>;

Verdict check_history(const ServerView& server, const SinkMemory& sink, Lsn lowest) {
  const auto& [identity, position] = *sink.bookmark;
  if (identity.system_identifier != server.identity.system_identifier) {
    return refuse_identity(server, sink, lowest,
                           "this is another cluster (pg_upgrade makes one, and so does a dump that"
                           " was restored elsewhere)");
  }
  if (identity.database != server.identity.database) {
    return refuse_identity(server, sink, lowest, "this is another database");
  }
  if (identity.slot != server.identity.slot) {
    return refuse_identity(server, sink, lowest, "this is another slot");
  }
  const auto common = end_of_common_history(server, identity.timeline);
  if (!common) {
    return refuse_identity(server, sink, lowest,
                           "the server's history does not hold timeline " +
                               std::to_string(identity.timeline) +
                               ": a restored copy, or an old"
                               " primary");
  }
  if (position.delivered > *common) {
    if (server.standby && identity.timeline == server.identity.timeline) {
      return WaitForReplay{position.delivered};
    }
    return refuse_identity(
        server, sink, lowest,
        "divergence: events up to " + to_string(position.delivered) +
            " were delivered that this server's history, which ends for them at " +
            to_string(*common) + ", does not hold");
  }
  return Position{position.delivered, std::min(position.position, *common)};
}

Verdict check_sink(const ServerView& server, const SinkMemory& sink, const Acceptance& acceptance,
                   bool gap_accepted, Lsn lowest, std::vector<std::string>& warnings) {
  const Position at_the_slot{Lsn{}, server.confirmed_flush};
  auto verdict = check_history(server, sink, lowest);
  if (std::holds_alternative<Refusal>(verdict)) {
    if (acceptance.identity != acceptance_id(server, lowest)) return verdict;
    warnings.push_back(
        "sink " + sink.sink_id + ": its bookmark of " + describe(sink.bookmark->identity) + " at " +
        to_string(sink.bookmark->position.position) + " (delivered " +
        to_string(sink.bookmark->position.delivered) +
        ") was given up as accepted; it goes on from " + to_string(server.confirmed_flush) +
        ": what this server committed before that is not delivered");
    return at_the_slot;
  }
  const auto* position = std::get_if<Position>(&verdict);
  if (!position || position->position >= server.confirmed_flush) return verdict;
  if (!gap_accepted) {
    return Refusal{66, "sink " + sink.sink_id + ": the slot " + server.identity.slot +
                           " stands at " + to_string(server.confirmed_flush) +
                           ", past the sink's bookmark at " + to_string(position->position) +
                           ": somebody else moved or re-created it, and what lies between is gone"
                           " from the slot. If that gap is acceptable, start once with"
                           " --accept-gap=" +
                           to_string(lowest)};
  }
  warnings.push_back("sink " + sink.sink_id + ": gap accepted: changes between " +
                     to_string(position->position) + " and " + to_string(server.confirmed_flush) +
                     " are not delivered");
  return Position{position->delivered, server.confirmed_flush};
}

}  // namespace

std::optional<Lsn> lowest_position(std::span<const SinkMemory> sinks) {
  std::optional<Lsn> lowest;
  for (const auto& sink : sinks) {
    if (!sink.bookmark) continue;
    const Lsn position = sink.bookmark->position.position;
    lowest = lowest ? std::min(*lowest, position) : position;
  }
  return lowest;
}

std::variant<SlotUse, Refusal> decide_slot(const ServerView& server, SlotState state,
                                           const std::string& reason, bool create_slot,
                                           std::span<const SinkMemory> sinks,
                                           const Acceptance& acceptance) {
  if (state == SlotState::present) return SlotUse{};
  const std::string what =
      "the replication slot " + server.identity.slot +
      (state == SlotState::missing ? " does not exist" : " is invalidated (" + reason + ")");
  const Lsn lowest = lowest_position(sinks).value_or(Lsn{});
  std::vector<SinkMemory> of_this_server;
  bool given_up = false;
  for (const auto& sink : sinks) {
    if (!sink.bookmark) continue;
    const auto verdict = check_history(server, sink, lowest);
    const auto* refusal = std::get_if<Refusal>(&verdict);
    if (refusal == nullptr) {
      of_this_server.push_back(sink);
    } else if (acceptance.identity == acceptance_id(server, lowest)) {
      given_up = true;
    } else {
      return Refusal{refusal->exit_code, refusal->what + "; " + what + ", it is made then"};
    }
  }
  const auto remembered = lowest_position(of_this_server);
  if (given_up && !remembered) return SlotUse{.create = true, .gap_accepted = true};
  if (remembered) {
    if (acceptance.gap == *remembered) return SlotUse{.create = true, .gap_accepted = true};
    return Refusal{66, what + ", but the sinks were fed from it up to " + to_string(*remembered) +
                           ": what came after is lost to this pipeline. To go on with that gap:"
                           " pgcourier slot create --accept-gap=" +
                           to_string(*remembered) + " -c FILE"};
  }
  if (state == SlotState::invalidated) {
    return Refusal{66, what +
                           ": it can't be read any more. Drop it with pgcourier slot drop -c FILE"
                           " and start again; what it still held is lost"};
  }
  if (!create_slot) {
    return Refusal{78, what +
                           " and source.create_slot is false: create it with pgcourier slot"
                           " create -c FILE, or set source.create_slot: true"};
  }
  return SlotUse{.create = true};
}

std::variant<StartPositions, WaitForReplay, Refusal> check_start(const ServerView& server,
                                                                 std::span<const SinkMemory> sinks,
                                                                 const Acceptance& acceptance,
                                                                 bool fresh_slot,
                                                                 bool gap_accepted) {
  const auto remembered = lowest_position(sinks);
  const bool gap_is_fine = gap_accepted || (remembered && acceptance.gap == *remembered);
  StartPositions start;
  for (const auto& sink : sinks) {
    if (!sink.bookmark) {
      if (sink.keeps_bookmark && (!fresh_slot || remembered)) {
        start.warnings.push_back("sink " + sink.sink_id +
                                 " has no bookmark: it starts where the slot stands, at " +
                                 to_string(server.confirmed_flush));
      }
      start.positions.push_back({Lsn{}, server.confirmed_flush});
      continue;
    }
    const auto verdict =
        check_sink(server, sink, acceptance, gap_is_fine, *remembered, start.warnings);
    if (const auto* refusal = std::get_if<Refusal>(&verdict)) return *refusal;
    if (const auto* wait = std::get_if<WaitForReplay>(&verdict)) return *wait;
    start.positions.push_back(std::get<Position>(verdict));
  }
  return start;
}

}  // namespace pgcourier::cdc
