#include "protocol/replication_commands.hpp"

#include <stdexcept>

namespace pgcourier::protocol {
namespace {

constexpr int version_15 = 150'000;  // the first with options in parentheses
constexpr int version_17 = 170'000;  // the first with failover slots

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

void append_option(std::string& command, std::string_view name, std::string_view value) {
  command += ", ";
  command += name;
  command += ' ';
  command += quote_literal(value);
}

std::string_view boolean(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string quote_identifier(std::string_view name) { return quoted(name, '"'); }

std::string quote_literal(std::string_view text) { return quoted(text, '\''); }

std::string identify_system() { return "IDENTIFY_SYSTEM"; }

std::string timeline_history(std::uint32_t timeline) {
  return "TIMELINE_HISTORY " + std::to_string(timeline);
}

std::string create_replication_slot(const CreateLogicalSlot& options, int server_version) {
  if (options.two_phase && server_version < version_15) {
    throw std::invalid_argument("two_phase needs PostgreSQL 15");
  }
  if (options.failover && server_version < version_17) {
    throw std::invalid_argument("failover slots need PostgreSQL 17");
  }
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

std::string drop_replication_slot(std::string_view slot, bool wait) {
  return "DROP_REPLICATION_SLOT " + quote_identifier(slot) + (wait ? " WAIT" : "");
}

std::string start_replication(const StartLogicalReplication& options) {
  std::string command = "START_REPLICATION SLOT " + quote_identifier(options.slot) + " LOGICAL " +
                        to_string(options.start) + " (proto_version " +
                        quote_literal(std::to_string(options.proto_version));
  append_option(command, "publication_names", publication_list(options.publications));
  if (options.messages) append_option(command, "messages", boolean(*options.messages));
  if (options.binary) append_option(command, "binary", boolean(*options.binary));
  if (options.streaming) append_option(command, "streaming", *options.streaming);
  if (options.origin) append_option(command, "origin", *options.origin);
  command += ')';
  return command;
}

}  // namespace pgcourier::protocol
