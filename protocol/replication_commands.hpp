// The commands of a replication connection, §55.4, and the options of pgoutput, §55.5.1;
// BASE_BACKUP is in base_backup_command.hpp. What comes back: replication_results.hpp.
//
// `server_version` as server_version_num has it, 150004. What the server's grammar has no words for
// throws std::invalid_argument, and so does a zero byte in a name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/lsn.hpp"

namespace pgcourier::protocol {

// "Orders" in double quotes, inner ones doubled. Right for SQL and for replication commands. Throws
// std::invalid_argument for a zero byte.
std::string quote_identifier(std::string_view name);

// 'it''s'. Only right where a backslash is an ordinary character: in replication commands, and in
// SQL with standard_conforming_strings on, the default.
std::string quote_literal(std::string_view text);

std::string identify_system();

// Of one parameter: "wal_segment_size", "some_extension.setting". In lower case, as the server
// knows it.
std::string show(std::string_view parameter);

// There is no timeline 0.
std::string timeline_history(std::uint32_t timeline);

enum class SlotSnapshot { nothing, export_, use };

struct CreateLogicalSlot {
  std::string slot;
  bool temporary = false;
  SlotSnapshot snapshot = SlotSnapshot::nothing;
  bool two_phase = false;  // server 15 on
  bool failover = false;   // server 17 on
};
std::string create_replication_slot(const CreateLogicalSlot& options, int server_version);

struct CreatePhysicalSlot {
  std::string slot;
  bool temporary = false;
  bool reserve_wal = false;  // at once, not at the first connection
};
std::string create_replication_slot(const CreatePhysicalSlot& options, int server_version);

// What is empty stays as it is; something must be given.
struct AlterSlot {
  std::string slot;
  std::optional<bool> failover;   // server 17 on
  std::optional<bool> two_phase;  // server 18 on
};
std::string alter_replication_slot(const AlterSlot& options, int server_version);

// Server 15 on; of physical slots only.
std::string read_replication_slot(std::string_view slot, int server_version);

// With `wait`: until a walsender that uses it has gone, instead of an error.
std::string drop_replication_slot(std::string_view slot, bool wait);

struct StartLogicalReplication {
  std::string slot;
  Lsn start;  // 0/0: where the slot stands
  int proto_version = 1;
  std::vector<std::string> publications;
  std::optional<bool> messages;          // server 14 on
  std::optional<bool> binary;            // server 14 on
  std::optional<std::string> streaming;  // on | off (14 on) | parallel (16 on)
  std::optional<bool> two_phase;         // server 15 on, proto_version 3
  std::optional<std::string> origin;     // none | any, server 16 on
};
// What is empty is not mentioned, for the server may not know it.
std::string start_replication(const StartLogicalReplication& options);

struct StartPhysicalReplication {
  std::string slot;            // empty: none
  Lsn start;                   // a segment's first byte, for whoever writes whole segments
  std::uint32_t timeline = 0;  // 0: the server's current one
};
std::string start_replication(const StartPhysicalReplication& options);

// Server 17 on. The manifest of the earlier backup follows as a COPY to the server.
std::string upload_manifest(int server_version);

}  // namespace pgcourier::protocol
