// The rows that replication commands are answered with, §55.4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "protocol/lsn.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// One DataRow in text format; NULL is empty. Every reader takes exactly the columns of its server's
// version and throws ProtocolError for anything else.
using ResultValues = std::span<const std::optional<ByteView>>;

// IDENTIFY_SYSTEM.
struct SystemIdentity {
  std::string system_identifier;  // decimal
  std::uint32_t timeline = 0;
  Lsn xlogpos;                          // flushed; on a standby: replayed
  std::optional<std::string> database;  // none on a physical walsender
};
SystemIdentity read_system_identity(ResultValues row);

// SHOW.
std::string read_shown_value(ResultValues row);

// TIMELINE_HISTORY; the content is for read_timeline_history().
struct TimelineHistoryFile {
  std::string filename;  // 00000002.history
  std::string content;   // raw bytes
};
TimelineHistoryFile read_timeline_history_file(ResultValues row);

// CREATE_REPLICATION_SLOT.
struct CreatedSlot {
  std::string slot;
  Lsn consistent_point;  // 0/0 for a physical slot that reserves nothing yet
  // Until the next command on the connection, with SlotSnapshot::export_.
  std::optional<std::string> snapshot;
  std::optional<std::string> output_plugin;  // none for a physical slot
};
CreatedSlot read_created_slot(ResultValues row);

// READ_REPLICATION_SLOT of a slot that exists.
struct PhysicalSlot {
  std::optional<Lsn> restart_lsn;  // none: it reserves nothing yet
  std::uint32_t restart_timeline = 0;
};
// Empty: there is no such slot.
std::optional<PhysicalSlot> read_physical_slot(ResultValues row);

// A position and its timeline: of a backup's start and end; and where START_REPLICATION goes on
// that has come to the end of a timeline: the next one, and where the server switched to it.
struct TimelinePosition {
  Lsn lsn;
  std::uint32_t timeline = 0;

  friend bool operator==(const TimelinePosition&, const TimelinePosition&) = default;
};
TimelinePosition read_backup_position(ResultValues row);
TimelinePosition read_next_timeline(ResultValues row);

// Of BASE_BACKUP's second result.
struct BackupTablespace {
  std::uint32_t oid = 0;                  // 0: the data directory itself
  std::string location;                   // empty likewise
  std::optional<std::uint64_t> size_kib;  // about, uncompressed; with `progress` only
};
BackupTablespace read_backup_tablespace(ResultValues row);

}  // namespace pgcourier::protocol
