#include "config/setting_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace pgcourier::config {
namespace {

using enum SettingType;

constexpr auto table = std::to_array<Setting>({
    {.path = "name",
     .type = text,
     .description = "Names the pipeline: topic prefix, application_name, label of every metric.",
     .required = true,
     .rule = &word_rule},
    {.path = "source", .type = section, .description = "The PostgreSQL server to read from."},
    {.path = "source.url",
     .type = text,
     .description = "A libpq URI or key=value string, several hosts too; target_session_attrs "
                    "defaults to the primary.",
     .required = true},
    {.path = "source.password_file",
     .type = text,
     .description = "A file that holds the password; comes before .pgpass."},
    {.path = "source.publication",
     .type = text,
     .description = "The publication whose changes are delivered.",
     .required = true},
    {.path = "source.slot",
     .type = text,
     .description = "The replication slot.",
     .required = true,
     .rule = &slot_rule},
    {.path = "source.create_slot",
     .type = boolean,
     .default_value = "true",
     .description = "Create a missing slot if no bookmark shows an earlier run."},
    {.path = "source.create_publication",
     .type = boolean,
     .default_value = "false",
     .description = "Create a missing publication for `tables`, before the slot."},
    {.path = "source.tables",
     .type = text_list,
     .description = "The tables to deliver, as globs (public.*) or re:regex; empty: all of the "
                    "publication."},
    {.path = "source.streaming",
     .type = choice,
     .default_value = "auto",
     .description = "Receive large transactions while they are in progress, instead of leaving "
                    "them on the server's disk until they end; auto: on.",
     .values = "on|off|auto"},
    {.path = "source.two_phase",
     .type = boolean,
     .default_value = "false",
     .description = "Deliver prepared transactions at PREPARE TRANSACTION, and what became of them "
                    "later (PostgreSQL 15)."},
    {.path = "source.binary",
     .type = boolean,
     .default_value = "false",
     .description = "Ask the server for values in binary form.",
     .available = "false"},
    {.path = "source.oauth_token",
     .type = text,
     .description = "The OAuth token to authenticate with; ${file:…} is read anew for each "
                    "connection.",
     .secret = true},
    {.path = "source.oauth_token_command",
     .type = text_list,
     .description = "A program, by its absolute path, and its arguments; for each connection it is "
                    "run, without a shell, and prints the OAuth token."},
    {.path = "source.origin",
     .type = choice,
     .default_value = "any",
     .description = "none: only changes made on this server itself, not by replication "
                    "(PostgreSQL 16).",
     .values = "any|none"},
    {.path = "source.messages",
     .type = boolean,
     .default_value = "true",
     .description = "Logical decoding messages become events."},
    {.path = "source.heartbeat",
     .type = duration,
     .default_value = "0s",
     .description = "Write a message if the confirmed position has not moved for that long while "
                    "WAL grew; 0s: never."},
    {.path = "source.silence_timeout",
     .type = duration,
     .default_value = "60s",
     .description = "A server that is silent for this long is given up; doubled after each session "
                    "without progress.",
     .minimum = "100ms"},
    {.path = "source.shutdown_grace",
     .type = duration,
     .default_value = "10s",
     .description = "How long the server's own shutdown may wait for stalled sinks."},
    {.path = "snapshot", .type = section, .description = "What is read before the changes."},
    {.path = "snapshot.mode",
     .type = choice,
     .default_value = "never",
     .description = "Whether the tables' present rows are delivered first.",
     .values = "initial|never|always|only",
     .available = "never"},
    {.path = "format",
     .type = choice,
     .default_value = "native",
     .description = "What an event looks like.",
     .values = "native|debezium",
     .available = "native"},
    {.path = "sinks",
     .type = sinks,
     .description = "Where events go: at least one; the slowest decides what is confirmed.",
     .required = true},
    {.path = "sinks.*",
     .type = sink,
     .description = "One sink: its kind, and under it its settings."},
    {.path = "sinks.*.kafka", .type = section, .description = "Topics of a Kafka cluster."},
    {.path = "sinks.*.kafka.id",
     .type = text,
     .default_value = "kafka",
     .description = "Names the sink in labels and its bookmark.",
     .rule = &word_rule},
    {.path = "sinks.*.kafka.brokers",
     .type = text,
     .description = "host:port of one broker or several, with commas.",
     .required = true},
    {.path = "sinks.*.kafka.topic",
     .type = text,
     .default_value = "{name}.{schema}.{table}",
     .description = "The topic of a table; {name}, {schema} and {table} are replaced.",
     .rule = &topic_rule},
    {.path = "sinks.*.kafka.delivery",
     .type = choice,
     .default_value = "at_least_once",
     .description = "The guarantee.",
     .values = "at_least_once|exactly_once"},
    {.path = "sinks.*.kafka.transaction",
     .type = section,
     .description = "How much one Kafka transaction of exactly_once holds."},
    {.path = "sinks.*.kafka.transaction.every",
     .type = duration,
     .default_value = "100ms",
     .description = "How often a Kafka transaction is committed; a source transaction is never "
                    "divided.",
     .minimum = "1ms"},
    {.path = "sinks.*.kafka.transaction.size",
     .type = integer,
     .default_value = "10000",
     .description = "The records after which a Kafka transaction is committed with the end of the "
                    "source transaction.",
     .minimum = "1",
     .maximum = "100000000"},
    {.path = "sinks.*.kafka.create_topics",
     .type = section_or_false,
     .description = "How missing topics are created; false: never; an existing topic is used as "
                    "it is."},
    {.path = "sinks.*.kafka.create_topics.partitions",
     .type = integer,
     .default_value = "6",
     .description = "The partitions of a created topic.",
     .minimum = "1",
     .maximum = "200000"},
    {.path = "sinks.*.kafka.create_topics.replication_factor",
     .type = integer,
     .default_value = "-1",
     .description = "The replicas of a created topic; -1: the broker's default.",
     .minimum = "-1",
     .maximum = "32767"},
    {.path = "sinks.*.kafka.undeliverable",
     .type = choice,
     .default_value = "stop",
     .description = "What happens to a record that Kafka can never take.",
     .values = "stop|dead_letter|skip"},
    {.path = "sinks.*.kafka.properties",
     .type = text_map,
     .description = "librdkafka's own properties, but for those that would break delivery."},
    {.path = "sinks.*.files", .type = section, .description = "JSON lines in a folder."},
    {.path = "sinks.*.files.id",
     .type = text,
     .default_value = "files",
     .description = "Names the sink in labels and messages.",
     .rule = &word_rule},
    {.path = "sinks.*.files.directory",
     .type = text,
     .description = "The folder; no other sink may have it.",
     .required = true},
    {.path = "sinks.*.files.rotate",
     .type = section,
     .description = "When a file ends, always between two transactions."},
    {.path = "sinks.*.files.rotate.size",
     .type = size,
     .default_value = "128MiB",
     .description =
         "The size, compressed, at which a file ends; it may exceed it by one transaction.",
     .minimum = "1KiB"},
    {.path = "sinks.*.files.rotate.every",
     .type = duration,
     .default_value = "1h",
     .description = "The age at which a file ends, an idle one too.",
     .minimum = "10ms"},
    {.path = "sinks.*.files.compression",
     .type = choice,
     .default_value = "none",
     .description = "How the files are compressed.",
     .values = "none|gzip|zstd"},
    {.path = "sinks.*.stdout", .type = section, .description = "JSON lines on standard output."},
    {.path = "sinks.*.stdout.id",
     .type = text,
     .default_value = "stdout",
     .description = "Names the sink in labels.",
     .rule = &word_rule},
    {.path = "sinks.*.null",
     .type = section,
     .description = "For measuring: counts bytes and a checksum of the encoded events."},
    {.path = "sinks.*.null.id",
     .type = text,
     .default_value = "null",
     .description = "Names the sink in labels.",
     .rule = &word_rule},
    {.path = "http", .type = section, .description = "Health, metrics and status over HTTP."},
    {.path = "http.listen",
     .type = text,
     .default_value = "127.0.0.1:8470",
     .description = "host:port to listen on; \"\": off.",
     .rule = &listen_rule},
    {.path = "limits", .type = section, .description = "What memory may hold."},
    {.path = "limits.in_flight_bytes",
     .type = size,
     .default_value = "16MiB",
     .description =
         "Events not yet delivered, all sinks together; above it the server is not read.",
     .minimum = "1KiB"},
    {.path = "limits.transaction_memory",
     .type = size,
     .default_value = "8MiB",
     .description = "Open streamed transactions, all together; the rest is kept in "
                    "state_dir/spill.",
     .minimum = "64KiB"},
    {.path = "limits.message_bytes",
     .type = size,
     .default_value = "1GiB",
     .description = "The longest message taken from the server.",
     .minimum = "1KiB",
     .maximum = "2GiB"},
    {.path = "state_dir",
     .type = text,
     .default_value = "/var/lib/pgcourier",
     .description = "A folder for locks and spilled transactions."},
    {.path = "shutdown_timeout",
     .type = duration,
     .default_value = "30s",
     .description = "How long an orderly stop may take."},
    {.path = "log", .type = section, .description = "What is logged, on standard error."},
    {.path = "log.level",
     .type = choice,
     .default_value = "info",
     .description = "The least important lines that are logged.",
     .values = "debug|info|warn|error"},
    {.path = "log.format",
     .type = choice,
     .default_value = "auto",
     .description = "auto: text on a terminal, JSON else.",
     .values = "auto|text|json"},
});

std::string_view type_name(const Setting& setting) {
  switch (setting.type) {
    case section:
    case sink:
      return "section";
    case section_or_false:
      return "section or `false`";
    case sinks:
      return "list of sinks";
    case text:
      return "text";
    case boolean:
      return "true or false";
    case integer:
      return "integer";
    case size:
      return "size";
    case duration:
      return "duration";
    case choice:
      return "choice";
    case text_list:
      return "list";
    case text_map:
      return "map";
  }
  return {};
}

}  // namespace

std::span<const Setting> setting_table() { return table; }

const Setting* find_setting(std::string_view table_path) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Setting& entry) { return entry.path == table_path; });
  return found == table.end() ? nullptr : &*found;
}

std::vector<const Setting*> settings_below(std::string_view section_path) {
  std::vector<const Setting*> below;
  for (const Setting& entry : table) {
    std::string_view rest = entry.path;
    if (!section_path.empty()) {
      if (!rest.starts_with(section_path) || rest.size() == section_path.size() ||
          rest[section_path.size()] != '.') {
        continue;
      }
      rest.remove_prefix(section_path.size() + 1);
    }
    if (rest.find('.') == std::string_view::npos) below.push_back(&entry);
  }
  return below;
}

std::string_view name_of(const Setting& setting) {
  return setting.path.substr(setting.path.rfind('.') + 1);
}

std::vector<std::string_view> alternatives(std::string_view list) {
  std::vector<std::string_view> result;
  while (!list.empty()) {
    const std::size_t bar = std::min(list.find('|'), list.size());
    result.push_back(list.substr(0, bar));
    list.remove_prefix(std::min(bar + 1, list.size()));
  }
  return result;
}

std::string settings_documentation() {
  std::string text = "| setting | type | default | |\n|---|---|---|---|\n";
  for (const Setting& entry : table) {
    std::string type(type_name(entry));
    if (!entry.values.empty()) {
      type.clear();
      for (const std::string_view value : alternatives(entry.values)) {
        type += fmt::format("{}`{}`", type.empty() ? "" : ", ", value);
      }
    }
    std::string description(entry.description);
    if (entry.available == "-") {
      description += " Not available in this version.";
    } else if (!entry.available.empty()) {
      description += fmt::format(" Available in this version: {}.",
                                 fmt::join(alternatives(entry.available), ", "));
    }
    text += fmt::format("| `{}` | {} | {} | {} |\n", entry.path, type,
                        entry.required                ? std::string("required")
                        : entry.default_value.empty() ? std::string()
                                                      : fmt::format("`{}`", entry.default_value),
                        description);
  }
  return text;
}

}  // namespace pgcourier::config
