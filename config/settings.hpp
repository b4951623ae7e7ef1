// Every setting of pgcourier, with its default. What each means to a user stands in
// config/setting_table.cpp, from which the file is checked and `config schema` is printed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pgcourier::config {

using namespace std::chrono_literals;

constexpr std::size_t KiB = 1024;
constexpr std::size_t MiB = 1024 * KiB;
constexpr std::size_t GiB = 1024 * MiB;

// A setting can't be used. what() has the key's path, the file and line where there are any, what
// is wrong and what to do; never a secret.
class SettingsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Source {
  std::string url;  // any libpq URI or key=value string; ${…} replaced; may hold a password
  std::optional<std::filesystem::path> password_file;
  // At most one of the three; for PostgreSQL 18.
  std::string oauth_token;
  std::optional<std::filesystem::path> oauth_token_file;  // oauth_token is ${file:…}
  std::vector<std::string> oauth_token_command;
  std::string publication;
  std::string slot;
  bool create_slot = true;
  bool create_publication = false;
  std::vector<std::string> tables;           // globs, or re:regex; empty: all of the publication
  std::string origin = "any";                // any | none (PostgreSQL 16)
  bool messages = true;                      // logical decoding messages become events
  std::chrono::milliseconds heartbeat = 0s;  // 0: never
  bool streaming = true;                     // large transactions while they are in progress
  bool two_phase = false;  // prepared transactions at PREPARE TRANSACTION (PostgreSQL 15)
  // A server that is silent for this long is given up, doubled after each session without progress.
  std::chrono::milliseconds silence_timeout = 60s;
  // How long the server's own shutdown may wait for stalled sinks (delivery.md 12).
  std::chrono::milliseconds shutdown_grace = 10s;
};

enum class Format { native };

struct CreateTopics {
  std::int32_t partitions = 6;
  std::int32_t replication_factor = -1;  // -1: the broker's default
};

// What happens to a record that Kafka can never take (delivery.md 17).
enum class Undeliverable { stop, dead_letter, skip };

struct KafkaSettings {
  std::string id = "kafka";
  std::string brokers;
  std::string topic = "{name}.{schema}.{table}";
  std::optional<CreateTopics> create_topics = CreateTopics{};  // empty: never (`false`)
  Undeliverable undeliverable = Undeliverable::stop;
  bool exactly_once = false;                            // delivery
  std::chrono::milliseconds transaction_every = 100ms;  // transaction.every
  std::size_t transaction_size = 10'000;                // transaction.size, in records
  // librdkafka's own, in the order of the file's keys; checked against what delivery.md 13 refuses.
  std::map<std::string, std::string> properties;
};

enum class Compression { none, gzip, zstd };

struct FilesSettings {
  std::string id = "files";
  std::filesystem::path directory;
  std::size_t rotate_size =
      128 * MiB;  // rotate.size, compressed; may be exceeded by one transaction
  std::chrono::milliseconds rotate_every = 1h;  // rotate.every; age of a file, idle ones included
  Compression compression = Compression::none;
};

struct StdoutSettings {
  std::string id = "stdout";
};

struct NullSettings {
  std::string id = "null";
};

using SinkSettings = std::variant<KafkaSettings, FilesSettings, StdoutSettings, NullSettings>;

const std::string& id_of(const SinkSettings& sink);

struct Limits {
  std::size_t in_flight_bytes = 16 * MiB;    // undelivered payload, all sinks together
  std::size_t transaction_memory = 8 * MiB;  // open streamed transactions; the rest on disk
  std::size_t message_bytes = 1 * GiB;       // bounds one message of the server
};

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { auto_, text, json };

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::auto_;  // auto: text on a terminal, JSON else
};

struct Settings {
  std::string name;  // [A-Za-z0-9._-]{1,63}
  Source source;
  Format format = Format::native;
  std::vector<SinkSettings> sinks;
  std::string http_listen = "127.0.0.1:8470";  // http.listen; empty: off
  Limits limits;
  std::filesystem::path state_dir = "/var/lib/pgcourier";
  std::chrono::milliseconds shutdown_timeout = 30s;
  Log log;
};

}  // namespace pgcourier::config
