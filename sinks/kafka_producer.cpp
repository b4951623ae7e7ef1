#include "sinks/kafka_producer.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace pgcourier::sinks {

using cdc::SinkError;
using cdc::SinkFailure;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int metadata_ms = 5000;
constexpr auto stall_time = std::chrono::seconds(30);
constexpr auto stall_time_without_brokers = std::chrono::seconds(2);
constexpr auto drain_time = std::chrono::seconds(10);
// That were sent by themselves and taken before batches are tried again.
constexpr std::uint64_t singly_records = 20'000;
constexpr std::size_t least_overhead = 68;  // of a batch of one record (KIP-98: 61 + 7)

// librdkafka hands one pointer per message back with its delivery report; ours is a number.
void* to_opaque(cdc::TransactionNumber transaction) {
  static_assert(sizeof(void*) >= sizeof(cdc::TransactionNumber));
  return reinterpret_cast<void*>(transaction);
}

cdc::TransactionNumber from_opaque(const void* opaque) {
  return reinterpret_cast<cdc::TransactionNumber>(opaque);
}

bool compresses(const config::KafkaSettings& settings) {
  for (const char* key : {"compression.type", "compression.codec"}) {
    const auto found = settings.properties.find(key);
    if (found != settings.properties.end() && found->second != "none") return true;
  }
  return false;
}

// Errors of one record, for which no waiting helps (delivery.md 17).
bool is_undeliverable(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return true;
    default:
      return false;
  }
}

const char* remedy_for(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      return "; a compacted topic takes no record without key: give the table a primary key or the "
             "topic cleanup.policy=delete";
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return "; the commit time is too far from the broker's clock: see "
             "message.timestamp.before.max.ms and .after.max.ms of the topic";
    default:
      return "; raise max.message.bytes of the topic (and of the broker's replicas and consumers)";
  }
}

template <typename Take>
void for_each_header(const DeadLetter& letter, const Take& take) {
  take("pgcourier.error", letter.error);
  take("pgcourier.topic", letter.topic);
  take("pgcourier.commit_lsn", letter.commit_lsn);
  if (letter.raw) {
    static const std::string pgoutput = "pgoutput";
    take("pgcourier.format", pgoutput);
    take("pgcourier.lsn", letter.raw->lsn);
    take("pgcourier.seq", letter.raw->seq);
  }
  if (letter.table.empty()) return;
  take("pgcourier.schema", letter.schema);
  take("pgcourier.table", letter.table);
}

std::size_t headers_size(const DeadLetter& letter) {
  std::size_t size = 0;
  for_each_header(letter, [&size](const char* name, const std::string& value) {
    size += std::strlen(name) + value.size() + 2 * sizeof(std::uint32_t);
  });
  return size;
}

std::string size_text(std::size_t key, std::size_t value) {
  return "a record of " + std::to_string(key + value) + " bytes (key " + std::to_string(key) + ")";
}

}  // namespace

KafkaProducer::KafkaProducer(const config::KafkaSettings& settings, KafkaMemory& memory)
    : settings_(settings),
      memory_(memory),
      compressed_(compresses(settings)),
      wake_(make_eventfd()) {}

KafkaProducer::~KafkaProducer() {
  if (client_) {
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                      RD_KAFKA_PURGE_F_NON_BLOCKING);
  }
  for (const auto& [name, topic] : topics_) topic->handle.reset();
}

void KafkaProducer::open(const std::string& client_id, KafkaProperties own) {
  singly_ = memory_.sends_singly;
  if (singly_) own["batch.num.messages"] = "1";
  client_ = make_kafka_client(RD_KAFKA_PRODUCER, settings_, client_id, own);
  queue_.reset(rd_kafka_queue_get_main(client_.get()));
  static constexpr std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), wake_.get(), &one, sizeof(one));
  linger_.start(client_.get());
  opened_.store(true, std::memory_order_release);
}

KafkaTopic& KafkaProducer::add_topic(const std::string& topic, const std::string& schema,
                                     const std::string& table, std::int32_t partitions) {
  auto added = make_kafka_topic(client_.get(), topic, schema, table, partitions);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client_.get(), 0, added->handle.get(), &metadata, metadata_ms) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_metadata_destroy(metadata);
  }
  const std::lock_guard lock(topics_mutex_);
  return *(topics_[topic] = std::move(added));
}

KafkaTopic* KafkaProducer::find_topic(const std::string& topic) {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : found->second.get();
}

std::string KafkaProducer::property(const char* key) const {
  std::array<char, 512> value{};
  std::size_t size = value.size();
  const auto result = rd_kafka_conf_get(rd_kafka_conf(client_.get()), key, value.data(), &size);
  return result == RD_KAFKA_CONF_OK ? value.data() : "";
}

std::size_t KafkaProducer::produce(KafkaTopic& topic, const KafkaRecord& record,
                                   cdc::TransactionNumber transaction) {
  if (failure_) throw *failure_;

  // librdkafka copies, so the views lose their const only for its signature.
  std::array<rd_kafka_vu_t, 16> parts;  // NOLINT: set below as far as used
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> auto& {
    parts[count].vtype = type;
    return parts[count++].u;
  };
  const auto add_bytes = [&](rd_kafka_vtype_t type, std::string_view bytes) {
    add(type).mem = {const_cast<char*>(bytes.data()), bytes.size()};
  };
  add(RD_KAFKA_VTYPE_RKT).rkt = topic.handle.get();
  add(RD_KAFKA_VTYPE_PARTITION).i32 = record.partition;
  add(RD_KAFKA_VTYPE_MSGFLAGS).i = RD_KAFKA_MSG_F_COPY;
  add_bytes(RD_KAFKA_VTYPE_VALUE, record.value);
  // A null pointer is no key, another one of size 0 is an empty one.
  if (record.has_key) add_bytes(RD_KAFKA_VTYPE_KEY, record.key.empty() ? "" : record.key);
  add(RD_KAFKA_VTYPE_TIMESTAMP).i64 = record.timestamp_ms;
  add(RD_KAFKA_VTYPE_OPAQUE).ptr = to_opaque(transaction);
  if (record.key_change != nullptr) {
    add(RD_KAFKA_VTYPE_HEADER).header = {"pgcourier.key_change", record.key_change,
                                         static_cast<ssize_t>(std::strlen(record.key_change))};
  }
  const auto add_header = [&](const char* name, const std::string& value) {
    add(RD_KAFKA_VTYPE_HEADER).header = {name, value.data(), static_cast<ssize_t>(value.size())};
  };
  if (record.dead_letter) for_each_header(*record.dead_letter, add_header);
  if (const ErrorHandle refused{rd_kafka_produceva(client_.get(), parts.data(), count)}) {
    throw kafka_error(settings_, failure_of(rd_kafka_error_code(refused.get())),
                      describe(topic) + ": " + rd_kafka_error_string(refused.get()));
  }
  ++unacknowledged_;
  lingers_ = true;
  if (topic.unacknowledged++ == 0) topic.last_progress = Clock::now();
  const auto now_partitions = topic.partitions_now.load(std::memory_order_relaxed);
  if (now_partitions != topic.partitions) {
    throw kafka_error(settings_, SinkFailure::settings,
                      describe(topic) + " had " + std::to_string(topic.partitions) +
                          " partitions and now has " + std::to_string(now_partitions) +
                          ": keys move to other partitions; start again to take the new number");
  }
  return record.key.size() + record.value.size();
}

std::string KafkaProducer::size_problem(const KafkaTopic& topic, const KafkaRecord& record) const {
  // The limit holds for what is sent; what compression makes of it only the broker can say.
  if (topic.max_message_bytes == 0 || compressed_) return {};
  std::size_t size = record.key.size() + record.value.size() + least_overhead;
  if (record.dead_letter) size += headers_size(*record.dead_letter);
  if (size <= topic.max_message_bytes) return {};
  return size_text(record.key.size(), record.value.size()) +
         " is larger than the topic's max.message.bytes of " +
         std::to_string(topic.max_message_bytes) + remedy_for(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
}

void KafkaProducer::collect(KafkaReports& reports) {
  // First clear the signal, then drain to the end: librdkafka signals only when the queue goes from
  // empty to not empty.
  clear_signal(wake_);
  if (!opened_.load(std::memory_order_acquire)) return;
  while (const EventHandle event{rd_kafka_queue_poll(queue_.get(), 0)}) {
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_DR:
        take_reports(event.get(), reports);
        break;
      case RD_KAFKA_EVENT_ERROR:
        take_error(event.get());
        break;
      default:
        break;
    }
  }
  if (failure_) throw *failure_;
}

void KafkaProducer::take_reports(rd_kafka_event_t* event, KafkaReports& reports) {
  const auto now = Clock::now();
  bool delivered = false;
  auto& deliveries = *reports.deliveries;
  while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
    auto& topic = *static_cast<KafkaTopic*>(rd_kafka_topic_opaque(message->rkt));
    --topic.unacknowledged;
    --unacknowledged_;
    topic.last_progress = now;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const std::string what = describe(topic) + ": " + size_text(message->key_len, message->len) +
                               ": " + rd_kafka_err2str(cause_of(message->err));
      if (is_undeliverable(message->err)) {
        refused(topic, *message, what + remedy_for(message->err));
      } else {
        fail(failure_of(message->err), what);
      }
      continue;
    }
    delivered = true;
    if (topic.holds_bookmarks) {
      reports.bookmark_acknowledged = true;
      continue;
    }
    ++events_acknowledged_;
    ++reports.freed_records;
    bytes_acknowledged_ += message->len;
    reports.freed_bytes += message->key_len + message->len;
    const auto transaction = from_opaque(message->_private);
    if (deliveries.empty() || deliveries.back().transaction != transaction) {
      deliveries.push_back({transaction, 0});
    }
    ++deliveries.back().count;
  }
  if (!delivered) return;
  trouble_.clear();
  if (singly_ && events_acknowledged_ >= singly_records) {
    memory_.sends_singly = false;
    fail(SinkFailure::once_more,
         std::to_string(events_acknowledged_) +
             " records were sent by themselves and taken: in batches again");
  }
}

void KafkaProducer::refused(const KafkaTopic& topic, const rd_kafka_message_t& message,
                            const std::string& what) {
  if (settings_.undeliverable == config::Undeliverable::stop) {
    return fail(SinkFailure::undeliverable, what);
  }
  if (singly_) {
    const std::string_view key(static_cast<const char*>(message.key), message.key_len);
    const std::string_view value(static_cast<const char*>(message.payload), message.len);
    memory_.refused.insert(fingerprint(topic.name, key, value));
  }
  memory_.sends_singly = true;
  fail(SinkFailure::once_more,
       what + (singly_ ? "; it is the record itself" : "; each record is sent by itself now"));
}

void KafkaProducer::take_error(rd_kafka_event_t* event) {
  if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__FATAL) {
    trouble_.note(event);
    return;
  }
  std::array<char, 512> reason{};
  const auto error = rd_kafka_fatal_error(client_.get(), reason.data(), reason.size());
  fail(failure_of(error), std::string("the producer failed for good: ") + rd_kafka_err2str(error) +
                              ": " + reason.data());
}

// After a fatal error librdkafka says only that there was one, and gives up what is queued.
rd_kafka_resp_err_t KafkaProducer::cause_of(rd_kafka_resp_err_t error) const {
  switch (error) {
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: {
      const auto fatal = rd_kafka_fatal_error(client_.get(), nullptr, 0);
      return fatal == RD_KAFKA_RESP_ERR_NO_ERROR ? error : fatal;
    }
    default:
      return error;
  }
}

SinkFailure KafkaProducer::failure_of(rd_kafka_resp_err_t error) const {
  switch (cause_of(error)) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
      return SinkFailure::fenced;
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:  // without transactions: a new one will do
      return settings_.exactly_once ? SinkFailure::fenced : SinkFailure::unavailable;
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
      return SinkFailure::settings;
    default:
      return is_undeliverable(error) ? SinkFailure::undeliverable : SinkFailure::unavailable;
  }
}

void KafkaProducer::require(const ErrorHandle& error, const std::string& doing) {
  if (!error) return;
  const auto code = rd_kafka_error_code(error.get());
  std::string what = doing + ": " + rd_kafka_error_string(error.get());
  if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT) {
    what += "; properties.transaction.timeout.ms is above the brokers' transaction.max.timeout.ms";
  } else if (!trouble_.text().empty()) {
    what += "; " + trouble_.text();
  }
  throw kafka_error(settings_, failure_of(code), what);
}

void KafkaProducer::drop_reports() {
  clear_signal(wake_);
  while (const EventHandle event{rd_kafka_queue_poll(queue_.get(), 0)}) continue;
}

// A record that can't be delivered says more than what it brought down with it.
void KafkaProducer::fail(SinkFailure failure, const std::string& what) {
  if (failure_ && (failure_->failure() == failure || failure == SinkFailure::unavailable)) return;
  failure_ = kafka_error(settings_, failure, what);
}

std::string KafkaProducer::stalled_because() const {
  const auto patience = trouble_.all_brokers_down() ? stall_time_without_brokers : stall_time;
  const auto now = Clock::now();
  const std::lock_guard lock(topics_mutex_);
  for (const auto& [name, topic] : topics_) {
    if (topic->unacknowledged == 0 || now - topic->last_progress < patience) continue;
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now - topic->last_progress).count();
    std::string text = describe(*topic) + ": nothing acknowledged for " + std::to_string(seconds) +
                       " s, " + std::to_string(topic->unacknowledged) + " records wait";
    if (!trouble_.text().empty()) text += "; " + trouble_.text();
    return text;
  }
  return {};
}

void KafkaProducer::end_linger() {
  if (std::exchange(lingers_, false)) linger_.end();
}

void KafkaProducer::drain() {
  if (!client_) return;
  const auto deadline = Clock::now() + drain_time;
  while (rd_kafka_outq_len(client_.get()) > 0 && Clock::now() < deadline) {
    rd_kafka_flush(client_.get(), 20);
    drop_reports();  // they count as queued until somebody takes them
  }
}

}  // namespace pgcourier::sinks
