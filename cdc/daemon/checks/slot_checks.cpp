#include "cdc/daemon/checks/slot_checks.hpp"

#include <variant>

#include "cdc/daemon/stop_error.hpp"

namespace pgcourier::cdc::daemon {

namespace {

constexpr const char* slot_check = "slot";
constexpr const char* wal_check = "slot_wal";

std::string describe(const replication::Holder& holder) {
  return "process " + std::to_string(holder.pid) + " (" + holder.application_name +
         (holder.client.empty() ? "" : ", from " + holder.client) + ")";
}

void check_user(SlotUser user, const std::optional<replication::Holder>& holder,
                const config::Settings& settings, Findings& findings) {
  const std::string in_use = settings.source.slot + " is in use by ";
  switch (user) {
    case SlotUser::nobody:
      findings.ok(slot_check, settings.source.slot + " is there and free");
      return;
    case SlotUser::ourselves:
      findings.ok(slot_check, in_use + "this pipeline, " + describe(*holder));
      return;
    case SlotUser::stranger:
      findings.error(slot_check, exit_settings, in_use + "another program, " + describe(*holder),
                     "give each pipeline a slot of its own");
      return;
    case SlotUser::unknown:
      findings.warning(slot_check,
                       in_use + (holder ? describe(*holder) : "a process that can't be seen"),
                       "run would wait until it is free; find out who that is");
  }
}

void check_wal(const replication::SlotInfo& slot, Findings& findings) {
  const std::string state = slot.slot + " has wal_status " + slot.wal_status;
  const std::string left =
      slot.safe_wal_size_bytes
          ? "; " + std::to_string(*slot.safe_wal_size_bytes) + " bytes of WAL until it is lost"
          : std::string();
  if (slot.wal_status == "unreserved") {
    findings.warning(wal_check, state + left,
                     "start the pipeline now, or raise max_slot_wal_keep_size: the next checkpoint"
                     " may invalidate the slot");
  } else if (slot.wal_status == "extended") {
    findings.warning(wal_check, state + left,
                     "the slot holds back more than max_wal_size: let the pipeline catch up before"
                     " the server's disk is full or the slot is lost");
  } else {
    findings.ok(wal_check, state + left);
  }
}

// In the server's word (invalidation_reason, 17; 16 knows "conflicting"), and what keeps the next
// slot from it.
std::string explain_invalidation(const replication::SlotInfo& slot) {
  const auto& reason = slot.invalidation_reason;
  if (reason == "rows_removed") {
    return reason +
           ": rows of the catalog that decoding on this standby needs are gone; set its"
           " hot_standby_feedback = on and its primary_slot_name";
  }
  if (reason == "wal_level_insufficient") {
    return reason + ": the primary runs with a wal_level below logical; set it back to logical";
  }
  if (reason == "idle_timeout") {
    return reason +
           ": nobody used it for idle_replication_slot_timeout; raise that, or 0 for never";
  }
  if (reason == "conflicting") {
    return reason +
           " with recovery on this standby: rows of the catalog that decoding needs are"
           " gone (set its hot_standby_feedback = on and its primary_slot_name), or the"
           " primary runs with a wal_level below logical";
  }
  const std::string removed =
      "the server has removed WAL that it needs, see max_slot_wal_keep_size";
  if (reason.empty()) return "wal_status lost: " + removed;
  return reason == "wal_removed" ? reason + ": " + removed : reason;
}

}  // namespace

SlotView view_slot(const std::optional<replication::SlotInfo>& slot, const config::Source& source,
                   const std::string& database) {
  if (!slot) return {SlotState::missing, {}};
  if (slot->slot_type != "logical" || slot->plugin != "pgoutput" || slot->database != database ||
      slot->temporary) {
    throw StopError(exit_settings,
                    "the replication slot " + source.slot + " is not for us: it is " +
                        (slot->temporary ? "temporary, " : "") + slot->slot_type + ", plugin '" +
                        slot->plugin + "', database '" + slot->database +
                        "'; a logical one with pgoutput in database '" + database +
                        "' is needed: change source.slot");
  }
  if (slot->two_phase != source.two_phase) {
    throw StopError(exit_settings,
                    "the replication slot " + source.slot + " was made with" +
                        (slot->two_phase ? " two_phase" : "out two_phase") +
                        ": set source.two_phase: " + (slot->two_phase ? "true" : "false") +
                        ", or change source.slot");
  }
  if (slot->wal_status == "lost" || !slot->invalidation_reason.empty()) {
    return {SlotState::invalidated, explain_invalidation(*slot)};
  }
  return {};
}

bool is_stranger(const replication::Holder& holder, const std::string& pipeline) {
  return holder.backend_type == "walsender" && !holder.application_name.empty() &&
         holder.application_name != pipeline;
}

SlotUser user_of(const std::optional<replication::SlotInfo>& slot,
                 const std::optional<replication::Holder>& holder, const std::string& pipeline) {
  if (!slot || !slot->active) return SlotUser::nobody;
  if (!holder) return SlotUser::unknown;
  if (is_stranger(*holder, pipeline)) return SlotUser::stranger;
  return holder->application_name == pipeline ? SlotUser::ourselves : SlotUser::unknown;
}

SlotUser check_slot(const std::optional<replication::SlotInfo>& slot,
                    const std::optional<replication::Holder>& holder,
                    const config::Settings& settings, const ServerView& server,
                    std::span<const SinkMemory> sinks, Findings& findings) {
  const auto user = user_of(slot, holder, settings.name);
  SlotView view;
  try {
    view = view_slot(slot, settings.source, server.identity.database);
  } catch (const StopError& error) {
    findings.error(slot_check, error.exit_code(), error.what(), {});
    return user;
  }
  const auto decision = decide_slot(server, view.state, view.reason, settings.source.create_slot,
                                    sinks, Acceptance{});
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    findings.error(slot_check, refusal->exit_code, refusal->what, {});
  } else if (std::get<SlotUse>(decision).create) {
    findings.ok(slot_check, settings.source.slot + " does not exist; run will create it");
  } else {
    check_user(user, holder, settings, findings);
    check_wal(*slot, findings);
  }
  return user;
}

}  // namespace pgcourier::cdc::daemon
