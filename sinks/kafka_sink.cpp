#include "sinks/kafka_sink.hpp"

#include <chrono>
#include <utility>

#include "sinks/kafka_topic_names.hpp"

namespace pgcourier::sinks {

using cdc::SinkError;
using cdc::SinkFailure;

namespace {

// Small segments: only closed ones are compacted, and every start reads what is left.
const TopicConfig position_topic_config{{"cleanup.policy", "compact"},
                                        {"segment.bytes", "1048576"},
                                        {"segment.ms", "3600000"},
                                        {"min.cleanable.dirty.ratio", "0.1"}};

// What librdkafka and the Java client have, too.
constexpr std::chrono::milliseconds usual_transaction{60'000};
constexpr const char* transaction_timeout = "transaction.timeout.ms";

// As large as brokers take a request by default.
const TopicConfig dead_letter_topic_config{{"max.message.bytes", "104857600"}};

}  // namespace

KafkaSink::KafkaSink(const config::KafkaSettings& settings, const config::Source& source,
                     const std::string& name, KafkaMemory& memory)
    : settings_(settings),
      name_(name),
      memory_(memory),
      messages_{.wanted = source.messages,
                .name = message_topic_name(name),
                .unwanted = "a logical message has come, but source.messages is off"},
      outcomes_{.wanted = source.two_phase,
                .name = outcome_topic_name(name),
                .unwanted = "a prepared transaction has come, but source.two_phase is off"},
      lingers_as_told_(settings.properties.contains("linger.ms") ||
                       settings.properties.contains("queue.buffering.max.ms")),
      producer_(settings_, memory_),
      undeliverable_(settings_, memory_, producer_) {}

KafkaAdmin& KafkaSink::admin() {
  if (!admin_) {
    admin_ = std::make_unique<KafkaAdmin>(settings_, name_);
    admin_->connect();
  }
  return *admin_;
}

std::optional<cdc::Bookmark> KafkaSink::peek_bookmark() {
  if (!admin().find_topic(position_topic_name(name_))) return std::nullopt;
  return read_bookmark();
}

std::optional<cdc::Bookmark> KafkaSink::open() {
  check_position_topic();
  // First whoever has the transactional.id is fenced: what he still commits would not be read.
  open_producer();
  auto bookmark = read_bookmark();
  position_topic_ = &producer_.add_topic(position_topic_name(name_), "", "", 1);
  position_topic_->holds_bookmarks = true;
  return bookmark;
}

void KafkaSink::open_producer() {
  if (!settings_.exactly_once) return producer_.open(name_);
  KafkaProperties own{{"transactional.id", name_ + "-" + settings_.id}};
  if (!settings_.properties.contains(transaction_timeout)) {
    const auto longest =
        memory_.needs_longest_transactions ? admin().longest_transaction() : usual_transaction;
    own[transaction_timeout] = std::to_string(longest.count());
  }
  producer_.open(name_, own);
  transactions_.emplace(settings_, producer_, memory_,
                        [this](const cdc::Position& position) { send_bookmark(position); });
  transactions_->init();
}

std::optional<cdc::Bookmark> KafkaSink::read_bookmark() {
  const std::string topic = position_topic_name(name_);
  bool readable = true;
  known_.reset();
  admin().read_records(topic, settings_.id, [&](const std::optional<std::string_view>& value) {
    const auto record = value ? parse_kafka_bookmark(*value) : std::nullopt;
    readable = record || !value;
    if (!value) known_.reset();  // somebody deleted it
    if (!record) return;
    known_ = known_ ? fold(*known_, *record) : *record;
    known_is_the_last_record_ = *known_ == *record;
  });
  if (!readable) {
    throw kafka_error(settings_, SinkFailure::bookmark,
                      "the last record with key " + settings_.id + " in topic " + topic +
                          " is no bookmark of pgcourier; is the topic used by something else?");
  }
  return known_ ? std::optional(known_->bookmark) : std::nullopt;
}

void KafkaSink::check_position_topic() {
  const std::string topic = position_topic_name(name_);
  const TopicState state = find_or_create(topic, 1, position_topic_config);
  if (state.partitions != 1) {
    throw kafka_error(settings_, SinkFailure::settings,
                      "topic " + topic + " has " + std::to_string(state.partitions) +
                          " partitions; bookmarks need exactly one: remove the topic if it is not "
                          "pgcourier's, or choose another name");
  }
  const auto config = admin().topic_config(topic);
  if (!config) return;
  const auto policy = config->find("cleanup.policy");
  if (policy != config->end() && policy->second != "compact") {
    throw kafka_error(settings_, SinkFailure::settings,
                      "topic " + topic + " has cleanup.policy=" + policy->second +
                          ", so Kafka will delete the bookmark: set cleanup.policy=compact");
  }
}

TopicState KafkaSink::find_or_create(const std::string& topic, std::int32_t partitions,
                                     const TopicConfig& config) {
  const auto state = admin().find_topic(topic);
  if (state && state->led) return *state;
  if (!state && !settings_.create_topics) {
    throw kafka_error(settings_, SinkFailure::unavailable,
                      "topic " + topic + " does not exist and create_topics is false: create it" +
                          (config.empty() ? "" : " with one partition and cleanup.policy=compact"));
  }
  if (!state) admin().create_topic(topic, partitions, config);
  return admin().await_topic(topic);
}

void KafkaSink::start(const cdc::Bookmark& bookmark) {
  started_with_ = next_record(known_, bookmark);
  // Also if it is known, but not by the last record: that one is what a compaction keeps.
  if (started_with_ != known_ || !known_is_the_last_record_) {
    if (transactions_) {
      transactions_->commit_bookmark(started_with_.bookmark.position);
    } else {
      admin().write_record(position_topic_name(name_), settings_.id, to_json(started_with_));
    }
  }
  if (settings_.undeliverable == config::Undeliverable::dead_letter) {
    undeliverable_.set_dead_letters(
        open_topic(dead_letter_topic_name(name_), "", "", dead_letter_topic_config));
  }
  for (OwnTopic* own : {&messages_, &outcomes_}) {
    if (!own->wanted) continue;
    try {
      own->topic = &open_topic(own->name, "", "");
    } catch (const SinkError& error) {
      own->problem = error.what();
    }
  }
}

void KafkaSink::expect_tables(const cdc::TableNames& tables) {
  for (const auto& [schema, table] : tables) {
    open_topic(topic_name(settings_.topic, name_, schema, table), schema, table);
  }
}

void KafkaSink::prepare(const cdc::Relation& relation) {
  if (by_version_.size() <= relation.version) by_version_.resize(relation.version + 1);
  const std::string topic = topic_name(settings_.topic, name_, relation.schema, relation.table);
  by_version_[relation.version] = &open_topic(topic, relation.schema, relation.table);
}

KafkaTopic& KafkaSink::open_topic(const std::string& topic, const std::string& schema,
                                  const std::string& table, const TopicConfig& config) {
  if (KafkaTopic* known = producer_.find_topic(topic)) {
    if (known->schema == schema && known->table == table) return *known;
    const auto owner = [](const std::string& of_schema, const std::string& of_table) {
      return of_table.empty() ? "pgcourier itself" : "table " + of_schema + "." + of_table;
    };
    throw kafka_error(settings_, SinkFailure::settings,
                      "topic " + topic + " would take the events of " +
                          owner(known->schema, known->table) + " and of " + owner(schema, table) +
                          ": change `topic`, or leave one out with source.tables");
  }
  if (const auto problem = topic_name_problem(topic); !problem.empty()) {
    throw kafka_error(settings_, SinkFailure::settings,
                      "table " + schema + "." + table + ": " + problem);
  }
  const std::int32_t wanted = settings_.create_topics ? settings_.create_topics->partitions : 1;
  const TopicState state = find_or_create(topic, wanted, config);
  KafkaTopic& added = producer_.add_topic(topic, schema, table, state.partitions);
  read_limit(added);
  return added;
}

void KafkaSink::read_limit(KafkaTopic& topic) {
  const auto config = admin().topic_config(topic.name);
  if (!config) return;
  const auto limit = config->find("max.message.bytes");
  if (limit == config->end()) return;
  topic.max_message_bytes = static_cast<std::size_t>(to_number(limit->second));

  // A broker refuses a batch as a whole: batches of small records must fit as well.
  const auto batch = static_cast<std::size_t>(to_number(producer_.property("batch.size")));
  if (batch > topic.max_message_bytes) {
    throw kafka_error(settings_, SinkFailure::settings,
                      describe(topic) + " takes batches of at most " + limit->second +
                          " bytes (max.message.bytes): set properties.batch.size, now " +
                          std::to_string(batch) + ", to no more than that");
  }
}

KafkaTopic& KafkaSink::topic_of(const cdc::Record& record) {
  if (record.relation != nullptr) return *by_version_.at(record.relation->version);
  const OwnTopic& own = record.routing == cdc::Routing::outcome ? outcomes_ : messages_;
  if (own.topic == nullptr) {
    throw kafka_error(settings_, SinkFailure::unavailable,
                      own.problem.empty() ? own.unwanted : own.problem);
  }
  return *own.topic;
}

std::size_t KafkaSink::produce(const cdc::Record& record, cdc::TransactionNumber transaction,
                               const char* key_change, std::size_t& deliveries) {
  KafkaTopic& topic = topic_of(record);
  KafkaRecord kafka;
  kafka.has_key = record.routing == cdc::Routing::by_key ||
                  record.routing == cdc::Routing::logical_message ||
                  record.routing == cdc::Routing::outcome;
  if (kafka.has_key) kafka.key = record.key;
  kafka.value = record.value;
  kafka.key_change = key_change;
  if (record.has_commit_time) kafka.timestamp_ms = unix_microseconds(record.commit_time) / 1000;
  checksum_.add(record.value);

  if (record.routing != cdc::Routing::every_partition) {
    return hand_over(topic, kafka, transaction, record.commit_lsn, deliveries);
  }
  std::size_t bytes = 0;
  for (std::int32_t partition = 0; partition < topic.partitions; ++partition) {
    kafka.partition = partition;
    bytes += hand_over(topic, kafka, transaction, record.commit_lsn, deliveries);
  }
  return bytes;
}

std::size_t KafkaSink::hand_over(KafkaTopic& topic, KafkaRecord& record,
                                 cdc::TransactionNumber transaction, protocol::Lsn commit_lsn,
                                 std::size_t& deliveries) {
  KafkaTopic* target = &topic;
  if (const auto problem = undeliverable_.problem_of(topic, record); !problem.empty()) {
    target = undeliverable_.divert(topic, problem, commit_lsn, record);
  }
  return send(target, record, transaction, deliveries);
}

// Null: the record is skipped.
std::size_t KafkaSink::send(KafkaTopic* topic, const KafkaRecord& record,
                            cdc::TransactionNumber transaction, std::size_t& deliveries) {
  if (topic == nullptr) return 0;
  ++deliveries;
  return transactions_ ? transactions_->write(*topic, record, transaction)
                       : producer_.produce(*topic, record, transaction);
}

cdc::Written KafkaSink::write_unencodable(const cdc::UnencodableEvent& event,
                                          cdc::TransactionNumber transaction) {
  const KafkaTopic& topic = *by_version_.at(event.relation->version);
  KafkaRecord record;
  record.value = event.message;
  checksum_.add(event.message);
  cdc::Written written;
  KafkaTopic* target =
      undeliverable_.divert(topic, std::string(event.problem), event.commit_lsn, record,
                            DeadLetter::Raw{to_string(event.lsn), std::to_string(event.seq)});
  written.bytes = send(target, record, transaction, written.deliveries);
  return written;
}

cdc::Written KafkaSink::write(const cdc::EncodedEvent& event, cdc::TransactionNumber transaction) {
  cdc::Written written;
  if (event.key_changed) {
    written.bytes = produce(event.removal, transaction, "delete", written.deliveries);
    written.bytes += produce(event.insertion, transaction, "insert", written.deliveries);
  } else {
    written.bytes = produce(event.record, transaction, nullptr, written.deliveries);
  }
  return written;
}

void KafkaSink::commit(cdc::TransactionNumber, protocol::Lsn end_lsn) {
  if (transactions_) transactions_->end_unit(end_lsn);
}

void KafkaSink::advance(const cdc::Position& position) {
  if (transactions_) return transactions_->advance(position);
  position_wanted_ = position;
  if (!position_on_its_way_) send_position();
}

// One at a time, so that none waits behind those it replaces. In the topic others may follow it: an
// instance that was stopped and goes on writes one more. read_bookmark() makes nothing of it.
void KafkaSink::send_position() {
  position_on_its_way_ = std::exchange(position_wanted_, std::nullopt);
  send_bookmark(*position_on_its_way_);
}

void KafkaSink::send_bookmark(const cdc::Position& position) {
  const std::string bookmark =
      to_json(KafkaBookmark{{started_with_.bookmark.identity, position}, started_with_.resets});
  KafkaRecord record;
  record.partition = 0;
  record.has_key = true;
  record.key = settings_.id;
  record.value = bookmark;
  producer_.produce(*position_topic_, record, 0);
}

void KafkaSink::stop_lingering() {
  if (transactions_) return transactions_->stop_lingering();
  if (!lingers_as_told_) producer_.end_linger();
}

void KafkaSink::flush() {
  if (transactions_) transactions_->flush();
  producer_.end_linger();
}

void KafkaSink::collect(cdc::Progress& progress) {
  if (transactions_) return transactions_->collect(progress);
  KafkaReports reports;
  reports.deliveries = &progress.deliveries;
  producer_.collect(reports);
  progress.freed_bytes += reports.freed_bytes;
  progress.freed_records += reports.freed_records;
  if (!reports.bookmark_acknowledged) return;
  progress.bookmarked = position_on_its_way_->position;
  position_on_its_way_.reset();
  if (position_wanted_) send_position();
}

void KafkaSink::close() {
  if (transactions_) transactions_->close();
  producer_.drain();
}

cdc::SinkTotals KafkaSink::totals() const {
  if (transactions_) {
    return {transactions_->events(), transactions_->bytes(), checksum_.value(),
            undeliverable_.diverted()};
  }
  return {producer_.events(), producer_.bytes(), checksum_.value(), undeliverable_.diverted()};
}

bool KafkaSink::waits_for_more() const { return transactions_ && transactions_->waits_for_more(); }

std::string KafkaSink::stalled_because() const {
  auto reason = producer_.stalled_because();
  return reason.empty() && transactions_ ? transactions_->stalled_because() : reason;
}

}  // namespace pgcourier::sinks
