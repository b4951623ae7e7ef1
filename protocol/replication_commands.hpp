// The commands of a replication connection, §55.4, and the options of pgoutput, §55.5.1.
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
std::string timeline_history(std::uint32_t timeline);

enum class SlotSnapshot { nothing, export_, use };

struct CreateLogicalSlot {
  std::string slot;
  bool temporary = false;
  SlotSnapshot snapshot = SlotSnapshot::nothing;
  bool two_phase = false;
  bool failover = false;  // server 17 on
};
// `server_version` as server_version_num has it, 150004. Throws std::invalid_argument for what the
// server's grammar has no words for.
std::string create_replication_slot(const CreateLogicalSlot& options, int server_version);

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
  std::optional<std::string> origin;     // none | any, server 16 on
};
// What is empty is not mentioned, for the server may not know it.
std::string start_replication(const StartLogicalReplication& options);

}  // namespace pgcourier::protocol
