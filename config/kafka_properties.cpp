#include "config/kafka_properties.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace pgcourier::config {
namespace {

struct Refusal {
  std::string_view name;  // a `*` at the end: every name that begins so
  std::string_view reason;
};

constexpr std::string_view acks =
    "only acks=all, which is always set, makes an acknowledged record safe to confirm";
constexpr std::string_view timeout =
    "a record that times out would be lost: it is always 0, and a stall is reported instead";
constexpr std::string_view retries =
    "a record given up after some retries would be lost: they never end";
constexpr std::string_view queue =
    "limits.in_flight_bytes bounds what is in flight; a second bound could stop the pipeline";
constexpr std::string_view reports = "delivery reports decide what is confirmed: all are needed";
constexpr std::string_view servers = "the brokers stand in `brokers`";
constexpr std::string_view partitions =
    "the partitioner is murmur2_random, so that one key always has one partition";
constexpr std::string_view order = "records would not stay in the order of the commits";

constexpr auto refusals = std::to_array<Refusal>({
    {"acks", acks},
    {"request.required.acks", acks},
    {"enable.idempotence", "it is always on: without it retries repeat and reorder records"},
    {"message.timeout.ms", timeout},
    {"delivery.timeout.ms", timeout},
    {"retries", retries},
    {"message.send.max.retries", retries},
    {"transactional.id", "it is made of the pipeline's name and the sink's id"},
    {"partitioner", partitions},
    {"partitioner_cb", partitions},
    {"msg_order_cmp", order},
    {"queuing.strategy", order},
    {"queue.buffering.max.messages", queue},
    {"queue.buffering.max.kbytes", queue},
    {"queue.buffering.backpressure.threshold", queue},
    {"delivery.report.only.error", reports},
    {"delivery.*", reports},
    {"enable.gapless.guarantee",
     "it makes a record that can't be delivered fatal to the producer; what happens then is for "
     "`undeliverable` to say"},
    {"bootstrap.servers", servers},
    {"metadata.broker.list", servers},
    {"isolation.level", "bookmarks are always read as read_committed"},
    {"test.mock.*", "records would go to librdkafka's mock cluster and be lost"},
    {"opaque", "it is for programs only"},
    {"default_topic_conf", "it is for programs only"},
    {"interceptors", "it is for programs only"},
    {"ssl_engine_callback_data", "it is for programs only"},
});

// The newest name of it, and librdkafka's older one.
bool is_max_in_flight(std::string_view name) {
  return name == "max.in.flight" || name == "max.in.flight.requests.per.connection";
}

bool matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

}  // namespace

std::optional<std::string> refused_kafka_property(std::string_view name, std::string_view value) {
  const auto refusal = std::find_if(refusals.begin(), refusals.end(), [&](const Refusal& entry) {
    return matches(entry.name, name);
  });
  if (refusal != refusals.end()) return std::string(refusal->reason);
  if (name.ends_with("_cb")) return "callbacks are for programs only";
  if (is_max_in_flight(name)) {
    int number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < 1 || number > 5) {
      return "the idempotent producer keeps the order with 1 to 5 requests in flight only";
    }
  }
  return std::nullopt;
}

bool is_secret_kafka_property(std::string_view name) {
  constexpr auto words = std::to_array<std::string_view>(
      {"password", "secret", "jaas", "token", "key.pem", "credential", "oauthbearer.config"});
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

}  // namespace pgcourier::config
