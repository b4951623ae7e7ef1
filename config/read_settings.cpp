#include "config/read_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <utility>

#include "config/connection_string.hpp"
#include "config/kafka_properties.hpp"
#include "config/quantity.hpp"
#include "config/replacement.hpp"
#include "config/setting_check.hpp"
#include "config/undeliverable.hpp"

namespace pgcourier::config {
namespace {

// A section of the effective document and its path as the user knows it.
struct Section {
  const Node& node;
  std::string path;

  const Node* find(std::string_view name) const { return node.find(name); }
  const Node& at(std::string_view name) const { return *node.find(name); }
  std::string path_of(std::string_view name) const {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
  }
  Section section(std::string_view name) const { return {at(name), path_of(name)}; }
  const std::string& text(std::string_view name) const { return at(name).text; }
  bool boolean(std::string_view name) const { return text(name) == "true"; }
  std::size_t size(std::string_view name) const { return parse_size(text(name)); }
  std::chrono::milliseconds duration(std::string_view name) const {
    return parse_duration(text(name));
  }
  std::int32_t integer(std::string_view name) const {
    std::int32_t number = 0;
    const std::string& value = text(name);
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  // What the table gives for the word; what is not in it was refused before.
  template <typename Value, std::size_t count>
  Value choice(std::string_view name,
               const std::array<std::pair<std::string_view, Value>, count>& table) const {
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const auto& entry) { return entry.first == text(name); });
    return found == table.end() ? Value{} : found->second;
  }
  [[noreturn]] void fail(std::string_view name, std::string_view problem) const {
    fail_at(at(name), path_of(name), problem);
  }
};

// Tokens expire, so one that stands in a file of its own is read when it is needed.
void read_oauth_token(const Section& section, Source& source) {
  if (const Node* token = section.find("oauth_token")) {
    if (token->text.empty()) section.fail("oauth_token", "must not be empty");
    source.oauth_token_file = replacing_file(*token);
    if (!source.oauth_token_file) source.oauth_token = token->text;
  }
  const Node& command = section.at("oauth_token_command");
  if (command.items.empty()) return;
  if (section.find("oauth_token") != nullptr) {
    section.fail("oauth_token_command",
                 "can't stand beside source.oauth_token: remove one of them");
  }
  for (const Node& word : command.items) {
    if (word.text.find('\0') != std::string::npos) {
      fail_at(word, section.path_of("oauth_token_command"), "a NUL character can't be in it");
    }
    source.oauth_token_command.push_back(word.text);
  }
  if (!source.oauth_token_command.front().starts_with('/')) {
    fail_at(command.items.front(), section.path_of("oauth_token_command"),
            fmt::format("must begin with the absolute path of a program, found \"{}\"",
                        command.items.front().written));
  }
}

Source read_source(const Section& section, std::vector<std::string>& warnings) {
  Source source;
  source.url = section.text("url");
  ConnectionKeywords keywords;
  try {
    keywords = parse_connection_string(source.url);
  } catch (const SettingsError& error) {
    section.fail("url", error.what());
  }
  if (section.find("password_file") != nullptr) {
    source.password_file = section.text("password_file");
    if (source.password_file->empty()) section.fail("password_file", "must not be empty");
    if (keywords.contains("password")) {
      warnings.push_back("source.password_file comes before the password in source.url");
    }
  }
  read_oauth_token(section, source);
  source.publication = section.text("publication");
  source.slot = section.text("slot");
  source.create_slot = section.boolean("create_slot");
  source.create_publication = section.boolean("create_publication");
  for (const Node& table : section.at("tables").items) {
    if (table.text.empty() || table.text == "re:") {
      fail_at(table, section.path_of("tables"), "a pattern is empty");
    }
    source.tables.push_back(table.text);
  }
  source.origin = section.text("origin");
  source.messages = section.boolean("messages");
  source.heartbeat = section.duration("heartbeat");
  source.streaming = section.text("streaming") != "off";
  source.two_phase = section.boolean("two_phase");
  source.silence_timeout = section.duration("silence_timeout");
  source.shutdown_grace = section.duration("shutdown_grace");
  return source;
}

KafkaSettings read_kafka(const Section& section) {
  KafkaSettings kafka;
  kafka.id = section.text("id");
  kafka.brokers = section.text("brokers");
  kafka.topic = section.text("topic");
  kafka.exactly_once = section.text("delivery") == "exactly_once";
  kafka.undeliverable = section.choice("undeliverable", undeliverable_policies);
  const Section transaction = section.section("transaction");
  kafka.transaction_every = transaction.duration("every");
  kafka.transaction_size = static_cast<std::size_t>(transaction.integer("size"));
  kafka.create_topics.reset();
  if (section.at("create_topics").kind == Node::Kind::map) {
    const Section topics = section.section("create_topics");
    kafka.create_topics.emplace();
    kafka.create_topics->partitions = topics.integer("partitions");
    kafka.create_topics->replication_factor = topics.integer("replication_factor");
    if (kafka.create_topics->replication_factor == 0) {
      topics.fail("replication_factor", "expected 1 or more, or -1 for the broker's default");
    }
  }
  const Section properties = section.section("properties");
  for (const auto& [key, value] : properties.node.entries) {
    if (const auto reason = refused_kafka_property(key.name, value.text)) {
      properties.fail(key.name, fmt::format("can't be set: {}", *reason));
    }
    kafka.properties[key.name] = value.text;
  }
  return kafka;
}

FilesSettings read_files(const Section& section) {
  FilesSettings files;
  files.id = section.text("id");
  files.directory = section.text("directory");
  const Section rotate = section.section("rotate");
  files.rotate_size = rotate.size("size");
  files.rotate_every = rotate.duration("every");
  constexpr auto compressions = std::to_array<std::pair<std::string_view, Compression>>(
      {{"none", Compression::none}, {"gzip", Compression::gzip}, {"zstd", Compression::zstd}});
  files.compression = section.choice("compression", compressions);
  return files;
}

SinkSettings read_sink(const std::string& kind, const Section& section) {
  if (kind == "kafka") return read_kafka(section);
  if (kind == "files") return read_files(section);
  if (kind == "stdout") return StdoutSettings{section.text("id")};
  return NullSettings{section.text("id")};
}

// The same folder however it is written; links are not followed.
std::string comparable(const std::filesystem::path& directory) {
  std::string path = std::filesystem::absolute(directory).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::vector<SinkSettings> read_sinks(const Node& sinks) {
  std::vector<SinkSettings> result;
  std::map<std::string, std::string> ids, directories;  // → the path of the sink that has it
  for (std::size_t i = 0; i < sinks.items.size(); ++i) {
    const auto& [kind, settings] = sinks.items[i].entries.front();
    const Section section = {settings, fmt::format("sinks.{}.{}", i, kind.name)};
    result.push_back(read_sink(kind.name, section));
    const std::string& id = id_of(result.back());
    const auto [same_id, new_id] = ids.emplace(id, section.path);
    if (!new_id) {
      section.fail("id", fmt::format("\"{}\" is the id of {} too: give one of them another `id`",
                                     id, same_id->second));
    }
    const auto* files = std::get_if<FilesSettings>(&result.back());
    if (files == nullptr) continue;
    const auto [same, is_new] = directories.emplace(comparable(files->directory), section.path);
    if (!is_new) {
      section.fail("directory", fmt::format("{} is the directory of {} too: each needs its own",
                                            files->directory.string(), same->second));
    }
  }
  return result;
}

std::string read_listen(const Section& http) {
  const std::string& listen = http.text("listen");
  if (!listen.empty()) {
    int port = 0;
    const char* digits = listen.data() + listen.rfind(':') + 1;
    std::from_chars(digits, listen.data() + listen.size(), port);
    if (port > 65535) http.fail("listen", "the port is above 65535");
  }
  return listen;
}

Log read_log(const Section& section) {
  constexpr auto levels =
      std::to_array<std::pair<std::string_view, LogLevel>>({{"debug", LogLevel::debug},
                                                            {"info", LogLevel::info},
                                                            {"warn", LogLevel::warn},
                                                            {"error", LogLevel::error}});
  constexpr auto formats = std::to_array<std::pair<std::string_view, LogFormat>>(
      {{"auto", LogFormat::auto_}, {"text", LogFormat::text}, {"json", LogFormat::json}});
  return {section.choice("level", levels), section.choice("format", formats)};
}

}  // namespace

Settings read_settings(const Node& effective, std::vector<std::string>& warnings) {
  const Section root = {effective, ""};
  Settings settings;
  settings.name = root.text("name");
  settings.source = read_source(root.section("source"), warnings);
  settings.sinks = read_sinks(root.at("sinks"));
  settings.http_listen = read_listen(root.section("http"));
  const Section limits = root.section("limits");
  settings.limits.in_flight_bytes = limits.size("in_flight_bytes");
  settings.limits.transaction_memory = limits.size("transaction_memory");
  settings.limits.message_bytes = limits.size("message_bytes");
  settings.state_dir = root.text("state_dir");
  if (settings.state_dir.empty()) root.fail("state_dir", "must not be empty");
  settings.shutdown_timeout = root.duration("shutdown_timeout");
  settings.log = read_log(root.section("log"));
  return settings;
}

}  // namespace pgcourier::config
