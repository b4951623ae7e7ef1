// The replication slot: is it for us, is it whole, who uses it (delivery.md 9 and 10).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cdc/daemon/checks/finding.hpp"
#include "cdc/start_check.hpp"
#include "config/settings.hpp"
#include "replication/catalog.hpp"

namespace pgcourier::cdc::daemon {

// SQLSTATE of a slot that somebody uses.
inline constexpr std::string_view object_in_use = "55006";

struct SlotView {
  SlotState state = SlotState::present;
  std::string reason;  // why it is invalidated: the server's word, and what to do about it
};

// Throws StopError (78) for a slot that serves something else.
SlotView view_slot(const std::optional<replication::SlotInfo>& slot, const config::Source& source,
                   const std::string& database);

// A walsender that says it belongs to another pipeline or program.
bool is_stranger(const replication::Holder& holder, const std::string& pipeline);

enum class SlotUser : std::uint8_t { nobody, ourselves, stranger, unknown };

// Adds findings about the slot as it stands, but not about its position. `holder`: of an active
// one, as far as it can be seen.
SlotUser check_slot(const std::optional<replication::SlotInfo>& slot,
                    const std::optional<replication::Holder>& holder,
                    const config::Settings& settings, const ServerView& server,
                    std::span<const SinkMemory> sinks, Findings& findings);

// Who uses the slot, from what check_slot() gets.
SlotUser user_of(const std::optional<replication::SlotInfo>& slot,
                 const std::optional<replication::Holder>& holder, const std::string& pipeline);

}  // namespace pgcourier::cdc::daemon
