#include "sinks/kafka_client.hpp"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace pgcourier::sinks {

using cdc::SinkError;
using cdc::SinkFailure;

namespace {

using Property = std::pair<const char*, const char*>;

// May be set otherwise by the user's properties.
constexpr auto defaults = std::to_array<Property>({
    // While the stream is busy; when it is quiet, KafkaLinger ends it.
    {"linger.ms", "50"},
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "2000"},
    // How soon a changed number of partitions is seen.
    {"topic.metadata.refresh.interval.ms", "10000"},
    // Topics have limits of their own, which are checked before a record is handed over.
    {"message.max.bytes", "1000000000"},
});

// What the guarantees stand on; config/ refuses them in the user's properties.
constexpr auto producer_guarantees = std::to_array<Property>({
    {"acks", "all"},
    {"enable.idempotence", "true"},
    {"message.timeout.ms", "0"},
    // limits.in_flight_bytes is the bound: no queue of librdkafka is ever full before it.
    {"queue.buffering.max.messages", "0"},
    {"queue.buffering.max.kbytes", "2147483647"},
    // Without this, librdkafka chooses a partition itself for a record without key.
    {"sticky.partitioning.linger.ms", "0"},
    {"allow.auto.create.topics", "false"},
});

constexpr auto consumer_guarantees = std::to_array<Property>({
    {"isolation.level", "read_committed"},
    {"enable.partition.eof", "true"},
    {"enable.auto.commit", "false"},
    {"auto.offset.reset", "error"},
    // The end of the topic is known when a fetch comes back empty.
    {"fetch.wait.max.ms", "10"},
    {"allow.auto.create.topics", "false"},
});

void set(rd_kafka_conf_t* conf, const config::KafkaSettings& settings, const char* key,
         const char* value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, key, value, reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
    throw kafka_error(settings, SinkFailure::settings,
                      "properties." + std::string(key) + ": " + reason.data());
  }
}

void print_nothing(const rd_kafka_t*, int, const char*, const char*) {}

}  // namespace

std::int64_t to_number(std::string_view text, std::int64_t otherwise) {
  std::int64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

SinkError kafka_error(const config::KafkaSettings& settings, SinkFailure failure,
                      const std::string& what) {
  return {failure, "sink " + settings.id + ": " + what};
}

ConfHandle make_kafka_conf(rd_kafka_type_t type, const config::KafkaSettings& settings,
                           const std::string& client_id) {
  ConfHandle conf(rd_kafka_conf_new());
  set(conf.get(), settings, "bootstrap.servers", settings.brokers.c_str());
  set(conf.get(), settings, "client.id", client_id.c_str());
  for (const auto& [key, value] : defaults) set(conf.get(), settings, key, value);
  for (const auto& [key, value] : settings.properties) {
    set(conf.get(), settings, key.c_str(), value.c_str());
  }
  if (type == RD_KAFKA_PRODUCER) {
    for (const auto& [key, value] : producer_guarantees) set(conf.get(), settings, key, value);
  } else {
    for (const auto& [key, value] : consumer_guarantees) set(conf.get(), settings, key, value);
  }
  rd_kafka_conf_set_log_cb(conf.get(), print_nothing);
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  return conf;
}

ClientHandle make_kafka_client(rd_kafka_type_t type, const config::KafkaSettings& settings,
                               const std::string& client_id, const KafkaProperties& own) {
  ConfHandle conf = make_kafka_conf(type, settings, client_id);
  for (const auto& [key, value] : own) set(conf.get(), settings, key.c_str(), value.c_str());
  std::array<char, 512> reason{};
  ClientHandle client(rd_kafka_new(type, conf.get(), reason.data(), reason.size()));
  if (!client) throw kafka_error(settings, SinkFailure::settings, reason.data());
  static_cast<void>(conf.release());  // rd_kafka_new took it
  return client;
}

void KafkaTrouble::note(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    all_brokers_down_ = true;
    if (!text_.empty()) return;  // the error before it says why
  }
  text_ = rd_kafka_event_error_string(event);
  if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION) refused_ = "Kafka refuses the log-in";
  // With TLS 1.3 a broker refuses a certificate only after our handshake is done: librdkafka calls
  // that a transport error, with OpenSSL's text.
  if (error == RD_KAFKA_RESP_ERR__SSL || text_.find("SSL routines") != std::string::npos) {
    refused_ = "TLS with Kafka fails";
  }
}

void KafkaTrouble::clear() {
  text_.clear();
  all_brokers_down_ = false;
  refused_.clear();
}

}  // namespace pgcourier::sinks
