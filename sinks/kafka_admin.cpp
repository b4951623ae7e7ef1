#include "sinks/kafka_admin.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace pgcourier::sinks {

using cdc::SinkError;
using cdc::SinkFailure;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int attempt_ms = 1000;
constexpr int answer_ms = 20'000;  // beyond the patience, so librdkafka's own time-out comes first

AdminOptionsHandle make_options(rd_kafka_t* client, rd_kafka_admin_op_t operation) {
  AdminOptionsHandle options(rd_kafka_AdminOptions_new(client, operation));
  std::array<char, 256> reason{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(kafka_patience.count()),
                                            reason.data(), reason.size());
  if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS) {
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), 5000, reason.data(), reason.size());
  }
  return options;
}

// Broker answers that no waiting heals.
bool is_setting(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return true;
    default:
      return false;
  }
}

std::string in_words(rd_kafka_resp_err_t error, const char* text) {
  const std::string name = rd_kafka_err2str(error);
  return text != nullptr && *text != '\0' && name != text ? name + ": " + text : name;
}

TopicState state_of(const rd_kafka_metadata_topic_t& topic) {
  TopicState state;
  state.partitions = topic.partition_cnt;
  state.led = topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0;
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition_t& partition = topic.partitions[i];
    if (partition.leader < 0) state.led = false;
    state.replicas =
        i == 0 ? partition.replica_cnt : std::min(state.replicas, partition.replica_cnt);
  }
  return state;
}

}  // namespace

std::int64_t number_in(const TopicConfig& config, const std::string& key, std::int64_t otherwise) {
  const auto found = config.find(key);
  return found == config.end() ? otherwise : to_number(found->second, otherwise);
}

KafkaAdmin::KafkaAdmin(const config::KafkaSettings& settings, const std::string& client_id,
                       std::chrono::milliseconds patience)
    : settings_(settings),
      client_id_(client_id),
      patience_(patience),
      client_(make_kafka_client(RD_KAFKA_PRODUCER, settings, client_id)),
      events_(rd_kafka_queue_get_main(client_.get())) {}

SinkError KafkaAdmin::unavailable(const std::string& what, const std::string& reason) const {
  return kafka_error(settings_, SinkFailure::unavailable,
                     what + " (brokers " + settings_.brokers + "): " + reason);
}

void KafkaAdmin::note_errors() {
  while (const EventHandle event{rd_kafka_queue_poll(events_.get(), 0)}) {
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) trouble_.note(event.get());
  }
}

MetadataHandle KafkaAdmin::metadata(rd_kafka_topic_t* only) {
  const auto deadline = Clock::now() + patience_;
  while (true) {
    const rd_kafka_metadata_t* answer = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 0, only, &answer, attempt_ms);
    note_errors();
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      trouble_.clear();
      return MetadataHandle(answer);
    }
    const std::string& reason = trouble_.text();
    if (!trouble_.refused().empty()) throw unavailable(trouble_.refused(), reason);
    if (Clock::now() > deadline) {
      throw unavailable("Kafka is not reachable",
                        reason.empty() ? rd_kafka_err2str(error) : reason);
    }
  }
}

void KafkaAdmin::connect() { metadata(nullptr); }

int KafkaAdmin::broker_count() { return metadata(nullptr)->broker_cnt; }

std::optional<TopicState> KafkaAdmin::find_topic(const std::string& topic) {
  const TopicHandle handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  if (!handle) {
    throw kafka_error(settings_, SinkFailure::settings,
                      "topic " + topic + ": " + rd_kafka_err2str(rd_kafka_last_error()));
  }
  const auto deadline = Clock::now() + patience_;
  while (true) {
    const MetadataHandle answer = metadata(handle.get());
    const std::span topics(answer->topics, static_cast<std::size_t>(answer->topic_cnt));
    const auto found = std::find_if(topics.begin(), topics.end(),
                                    [&](const auto& each) { return topic == each.topic; });
    const auto error = found == topics.end() ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : found->err;
    switch (error) {
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        return std::nullopt;
      case RD_KAFKA_RESP_ERR_NO_ERROR:
      case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        return state_of(*found);
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        throw unavailable("topic " + topic, std::string(rd_kafka_err2str(error)) +
                                                "; the user needs Describe and Write on it");
      case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        throw kafka_error(settings_, SinkFailure::settings,
                          "topic " + topic + ": " + rd_kafka_err2str(error));
      default:
        if (Clock::now() > deadline) throw unavailable("topic " + topic, rd_kafka_err2str(error));
    }
  }
}

TopicState KafkaAdmin::await_topic(const std::string& topic) {
  const auto deadline = Clock::now() + patience_;
  std::optional<TopicState> state;
  while (true) {
    state = find_topic(topic);
    if (state && state->led) return *state;
    if (Clock::now() > deadline) break;
    // Nothing else to do but ask again: the queue is silent meanwhile.
    const EventHandle event(rd_kafka_queue_poll(events_.get(), 100));
    if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
      trouble_.note(event.get());
    }
  }
  throw unavailable("topic " + topic,
                    state ? "a partition has no leader: a broker is away" : "it did not appear");
}

EventHandle KafkaAdmin::await_answer(rd_kafka_queue_t* queue, const std::string& what) {
  EventHandle answer(rd_kafka_queue_poll(queue, answer_ms));
  note_errors();
  if (!answer) throw unavailable(what, "no answer");
  return answer;
}

void KafkaAdmin::create_topic(const std::string& topic, std::int32_t partitions,
                              const TopicConfig& config) {
  std::array<char, 256> reason{};
  const int replication =
      settings_.create_topics ? settings_.create_topics->replication_factor : -1;
  const NewTopicHandle wanted(
      rd_kafka_NewTopic_new(topic.c_str(), partitions, replication, reason.data(), reason.size()));
  if (!wanted) {
    throw kafka_error(settings_, SinkFailure::settings, "topic " + topic + ": " + reason.data());
  }
  for (const auto& [key, value] : config) {
    rd_kafka_NewTopic_set_config(wanted.get(), key.c_str(), value.c_str());
  }
  const auto options = make_options(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS);
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  rd_kafka_NewTopic_t* topics = wanted.get();
  rd_kafka_CreateTopics(client_.get(), &topics, 1, options.get(), queue.get());

  const std::string what = "creating topic " + topic;
  const EventHandle answer = await_answer(queue.get(), what);
  if (const auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw unavailable(what, in_words(error, rd_kafka_event_error_string(answer.get())));
  }
  std::size_t count = 0;
  const auto* const* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      continue;
    }
    const auto words = in_words(error, rd_kafka_topic_result_error_string(results[i]));
    if (is_setting(error)) {
      throw kafka_error(settings_, SinkFailure::settings, what + ": " + words);
    }
    throw unavailable(what, words + "; make it yourself or let the user create topics");
  }
}

std::optional<TopicConfig> KafkaAdmin::topic_config(const std::string& topic) {
  return describe(RD_KAFKA_RESOURCE_TOPIC, topic, "reading the settings of topic " + topic);
}

std::chrono::milliseconds KafkaAdmin::longest_transaction() {
  constexpr std::chrono::milliseconds usual{900'000};
  const auto broker = std::to_string(metadata(nullptr)->orig_broker_id);
  const auto config =
      describe(RD_KAFKA_RESOURCE_BROKER, broker, "reading the settings of broker " + broker);
  if (!config) return usual;
  return std::chrono::milliseconds(number_in(*config, "transaction.max.timeout.ms", usual.count()));
}

std::optional<TopicConfig> KafkaAdmin::describe(rd_kafka_ResourceType_t type,
                                                const std::string& name, const std::string& doing) {
  const ConfigResourceHandle resource(rd_kafka_ConfigResource_new(type, name.c_str()));
  const auto options = make_options(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  // Any broker knows; the controller, librdkafka's choice, may be away.
  std::array<char, 256> reason{};
  rd_kafka_AdminOptions_set_broker(options.get(), metadata(nullptr)->orig_broker_id, reason.data(),
                                   reason.size());
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  rd_kafka_ConfigResource_t* resources = resource.get();
  rd_kafka_DescribeConfigs(client_.get(), &resources, 1, options.get(), queue.get());

  const EventHandle answer = await_answer(queue.get(), doing);
  const auto error = rd_kafka_event_error(answer.get());
  if (error == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) return std::nullopt;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw unavailable(doing, in_words(error, rd_kafka_event_error_string(answer.get())));
  }
  std::size_t resource_count = 0;
  const auto* const* results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(answer.get()), &resource_count);
  TopicConfig config;
  for (std::size_t i = 0; i < resource_count; ++i) {
    if (rd_kafka_ConfigResource_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::nullopt;
    std::size_t entry_count = 0;
    const auto* const* entries = rd_kafka_ConfigResource_configs(results[i], &entry_count);
    for (std::size_t j = 0; j < entry_count; ++j) {
      const char* value = rd_kafka_ConfigEntry_value(entries[j]);
      if (value != nullptr) config[rd_kafka_ConfigEntry_name(entries[j])] = value;
    }
  }
  return config;
}

void KafkaAdmin::write_record(const std::string& topic, const std::string& key,
                              const std::string& value) {
  const TopicHandle handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  std::string payload = value;
  if (rd_kafka_produce(handle.get(), 0, RD_KAFKA_MSG_F_COPY, payload.data(), payload.size(),
                       key.data(), key.size(), nullptr) != 0) {
    throw unavailable("topic " + topic, rd_kafka_err2str(rd_kafka_last_error()));
  }
  const auto deadline = Clock::now() + patience_;
  while (Clock::now() < deadline) {
    const EventHandle event(rd_kafka_queue_poll(events_.get(), attempt_ms));
    if (!event) continue;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) trouble_.note(event.get());
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
    const rd_kafka_message_t* report = rd_kafka_event_message_next(event.get());
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    throw unavailable("topic " + topic, rd_kafka_err2str(report->err));
  }
  throw unavailable("topic " + topic,
                    trouble_.text().empty() ? "no acknowledgement" : trouble_.text());
}

void KafkaAdmin::read_records(const std::string& topic, const std::string& key,
                              const TakeValue& take) {
  const ClientHandle consumer = make_kafka_client(RD_KAFKA_CONSUMER, settings_, client_id_);
  const QueueHandle errors(rd_kafka_queue_get_main(consumer.get()));
  const TopicHandle handle(rd_kafka_topic_new(consumer.get(), topic.c_str(), nullptr));
  // The simple consumer: no group, so no group's permissions.
  if (rd_kafka_consume_start(handle.get(), 0, RD_KAFKA_OFFSET_BEGINNING) != 0) {
    throw unavailable("reading topic " + topic, rd_kafka_err2str(rd_kafka_last_error()));
  }
  KafkaTrouble trouble;
  auto deadline = Clock::now() + patience_;
  while (true) {
    const MessageHandle message(rd_kafka_consume(handle.get(), 0, attempt_ms));
    while (const EventHandle event{rd_kafka_queue_poll(errors.get(), 0)}) {
      if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) trouble.note(event.get());
    }
    if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) break;
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      deadline = Clock::now() + patience_;
      if (std::string_view(static_cast<const char*>(message->key), message->key_len) != key)
        continue;
      std::optional<std::string_view> value;
      if (message->payload != nullptr) {
        value.emplace(static_cast<const char*>(message->payload), message->len);
      }
      take(value);
      continue;
    }
    if (Clock::now() > deadline) {
      const std::string reason = message ? rd_kafka_message_errstr(message.get()) : trouble.text();
      throw unavailable("reading topic " + topic, reason.empty() ? "no answer" : reason);
    }
  }
  rd_kafka_consume_stop(handle.get(), 0);
}

}  // namespace pgcourier::sinks
