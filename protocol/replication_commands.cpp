#include "protocol/replication_commands.hpp"

#include <stdexcept>

namespace pgcourier::protocol {
namespace {

constexpr int version_15 = 150'000;  // the first with options in parentheses
constexpr int version_17 = 170'000;  // the first with failover slots and incremental backups
constexpr int version_18 = 180'000;  // the first that changes two_phase

void require(int server_version, int since, std::string_view what) {
  if (server_version >= since) return;
  throw std::invalid_argument(std::string(what) + " needs PostgreSQL " +
                              std::to_string(since / 10'000));
}

std::string quoted(std::string_view text, char quote) {
  if (text.find('\0') != std::string_view::npos) {
    throw std::invalid_argument("a zero byte inside a name or text for the server");
  }
  std::string result;
  result.reserve(text.size() + 2);
  result.push_back(quote);
  for (const char c : text) {
    if (c == quote) result.push_back(quote);
    result.push_back(c);
  }
  result.push_back(quote);
  return result;
}

std::string_view snapshot_keyword(SlotSnapshot snapshot) {
  switch (snapshot) {
    case SlotSnapshot::export_:
      return "EXPORT_SNAPSHOT";
    case SlotSnapshot::use:
      return "USE_SNAPSHOT";
    case SlotSnapshot::nothing:
      break;
  }
  return "NOEXPORT_SNAPSHOT";
}

std::string_view snapshot_option(SlotSnapshot snapshot) {
  switch (snapshot) {
    case SlotSnapshot::export_:
      return "SNAPSHOT 'export'";
    case SlotSnapshot::use:
      return "SNAPSHOT 'use'";
    case SlotSnapshot::nothing:
      break;
  }
  return "SNAPSHOT 'nothing'";
}

// publication_names: identifiers in a list, which itself is a literal.
std::string publication_list(const std::vector<std::string>& publications) {
  std::string list;
  for (const auto& publication : publications) {
    if (!list.empty()) list += ',';
    list += quote_identifier(publication);
  }
  return list;
}

void append_option(std::string& list, std::string_view name, std::string_view value) {
  if (!list.empty()) list += ", ";
  list += name;
  list += ' ';
  list += quote_literal(value);
}

std::string_view boolean(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string quote_identifier(std::string_view name) { return quoted(name, '"'); }

std::string quote_literal(std::string_view text) { return quoted(text, '\''); }

std::string identify_system() { return "IDENTIFY_SYSTEM"; }

std::string show(std::string_view parameter) {
  std::string command = "SHOW ";
  for (auto dot = parameter.find('.'); dot != std::string_view::npos; dot = parameter.find('.')) {
    command += quote_identifier(parameter.substr(0, dot)) + '.';
    parameter.remove_prefix(dot + 1);
  }
  return command + quote_identifier(parameter);
}

std::string timeline_history(std::uint32_t timeline) {
  if (timeline == 0) throw std::invalid_argument("TIMELINE_HISTORY: there is no timeline 0");
  return "TIMELINE_HISTORY " + std::to_string(timeline);
}

std::string create_replication_slot(const CreateLogicalSlot& options, int server_version) {
  if (options.two_phase) require(server_version, version_15, "TWO_PHASE");
  if (options.failover) require(server_version, version_17, "FAILOVER");
  std::string command = "CREATE_REPLICATION_SLOT " + quote_identifier(options.slot);
  if (options.temporary) command += " TEMPORARY";
  command += " LOGICAL pgoutput ";
  if (server_version < version_15) {
    command += snapshot_keyword(options.snapshot);
    return command;
  }
  command += '(';
  command += snapshot_option(options.snapshot);
  if (options.two_phase) command += ", TWO_PHASE";
  if (options.failover) command += ", FAILOVER";
  command += ')';
  return command;
}

std::string create_replication_slot(const CreatePhysicalSlot& options, int server_version) {
  std::string command = "CREATE_REPLICATION_SLOT " + quote_identifier(options.slot);
  if (options.temporary) command += " TEMPORARY";
  command += " PHYSICAL";
  if (options.reserve_wal)
    command += server_version < version_15 ? " RESERVE_WAL" : " (RESERVE_WAL)";
  return command;
}

std::string alter_replication_slot(const AlterSlot& options, int server_version) {
  require(server_version, version_17, "ALTER_REPLICATION_SLOT");
  if (!options.failover && !options.two_phase) {
    throw std::invalid_argument("ALTER_REPLICATION_SLOT: nothing to alter");
  }
  std::string list;
  if (options.failover) append_option(list, "FAILOVER", boolean(*options.failover));
  if (options.two_phase) {
    require(server_version, version_18, "ALTER_REPLICATION_SLOT with TWO_PHASE");
    append_option(list, "TWO_PHASE", boolean(*options.two_phase));
  }
  return "ALTER_REPLICATION_SLOT " + quote_identifier(options.slot) + " (" + list + ')';
}

std::string read_replication_slot(std::string_view slot, int server_version) {
  require(server_version, version_15, "READ_REPLICATION_SLOT");
  return "READ_REPLICATION_SLOT " + quote_identifier(slot);
}

std::string drop_replication_slot(std::string_view slot, bool wait) {
  return "DROP_REPLICATION_SLOT " + quote_identifier(slot) + (wait ? " WAIT" : "");
}

std::string start_replication(const StartLogicalReplication& options) {
  std::string list;
  append_option(list, "proto_version", std::to_string(options.proto_version));
  append_option(list, "publication_names", publication_list(options.publications));
  if (options.messages) append_option(list, "messages", boolean(*options.messages));
  if (options.binary) append_option(list, "binary", boolean(*options.binary));
  if (options.streaming) append_option(list, "streaming", *options.streaming);
  if (options.two_phase) append_option(list, "two_phase", boolean(*options.two_phase));
  if (options.origin) append_option(list, "origin", *options.origin);
  return "START_REPLICATION SLOT " + quote_identifier(options.slot) + " LOGICAL " +
         to_string(options.start) + " (" + list + ')';
}

std::string start_replication(const StartPhysicalReplication& options) {
  std::string command = "START_REPLICATION";
  if (!options.slot.empty()) command += " SLOT " + quote_identifier(options.slot);
  command += " PHYSICAL " + to_string(options.start);
  if (options.timeline != 0) command += " TIMELINE " + std::to_string(options.timeline);
  return command;
}

std::string upload_manifest(int server_version) {
  require(server_version, version_17, "UPLOAD_MANIFEST");
  return "UPLOAD_MANIFEST";
}

}  // namespace pgcourier::protocol
