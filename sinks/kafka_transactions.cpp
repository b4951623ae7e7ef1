#include "sinks/kafka_transactions.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "sinks/kafka_admin.hpp"

namespace pgcourier::sinks {

using cdc::SinkFailure;

namespace {

constexpr auto stall_time = std::chrono::seconds(30);
// Without a record in the middle of a source transaction: somebody else holds it up.
constexpr auto pause_time = std::chrono::seconds(5);
constexpr int poll_ms = 100;

std::string seconds_text(std::chrono::steady_clock::duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

cdc::Position highest(const cdc::Position& one, const cdc::Position& other) {
  return {std::max(one.delivered, other.delivered), std::max(one.position, other.position)};
}

}  // namespace

KafkaTransactions::KafkaTransactions(const config::KafkaSettings& settings, KafkaProducer& producer,
                                     KafkaMemory& memory, SendBookmark send_bookmark)
    : settings_(settings),
      producer_(producer),
      memory_(memory),
      send_bookmark_(std::move(send_bookmark)),
      committer_(producer.wake()) {}

void KafkaTransactions::init() {
  timeout_ = std::chrono::milliseconds(to_number(producer_.property("transaction.timeout.ms")));
  const auto patience = static_cast<int>(kafka_patience.count());
  const ErrorHandle error(rd_kafka_init_transactions(producer_.client(), patience));
  if (error && rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT &&
      takes_longest_from_now_on()) {
    throw kafka_error(settings_, SinkFailure::once_more,
                      "the brokers let no transaction last " + seconds_text(timeout_) +
                          ": as long as their transaction.max.timeout.ms from now on");
  }
  producer_.require(error, "preparing for transactions");
  producer_.require(ErrorHandle(rd_kafka_begin_transaction(producer_.client())),
                    "beginning a transaction");
  committer_.start(producer_.client());
}

void KafkaTransactions::commit_bookmark(const cdc::Position& position) {
  wanted_ = position;
  seal(Clock::now());
  cdc::Progress progress;
  const auto deadline = Clock::now() + kafka_patience;
  while (state_ != State::open) {
    if (Clock::now() > deadline) {
      throw kafka_error(settings_, SinkFailure::unavailable,
                        "the bookmark is not committed: " + producer_.trouble());
    }
    pollfd ready{producer_.ready_fd(), POLLIN, 0};
    ::poll(&ready, 1, poll_ms);
    collect(progress);
  }
}

std::size_t KafkaTransactions::write(KafkaTopic& topic, const KafkaRecord& record,
                                     cdc::TransactionNumber transaction) {
  quiet_ = false;
  if (state_ == State::open && held_.empty()) {
    send(topic, record, transaction);
  } else {
    held_.push(topic, record, transaction);
  }
  return record.key.size() + record.value.size();
}

void KafkaTransactions::send(KafkaTopic& topic, const KafkaRecord& record,
                             cdc::TransactionNumber transaction) {
  if (records_++ == 0) begun_ = Clock::now();
  unit_open_ = true;
  producer_.produce(topic, record, transaction);
}

void KafkaTransactions::end_unit(protocol::Lsn end_lsn) {
  if (state_ == State::open && held_.empty()) {
    ended(end_lsn);
  } else {
    held_.push_end(end_lsn);
  }
}

void KafkaTransactions::ended(protocol::Lsn end_lsn) {
  reached_.position = std::max(reached_.position, end_lsn);
  if (!std::exchange(unit_open_, false)) return;  // nothing of it for this sink
  reached_.delivered = reached_.position;
  if (due_ || records_ >= settings_.transaction_size) seal(Clock::now());
}

void KafkaTransactions::advance(const cdc::Position& position) {
  wanted_ = highest(wanted_, position);
}

void KafkaTransactions::collect(cdc::Progress& progress) {
  try {
    take_reports(progress);
  } catch (const cdc::SinkError& error) {
    // The coordinator fences the producer of a transaction that was open for too long, too.
    const auto for_this_long = Clock::now() - begun_;
    const bool empty = state_ == State::open && records_ == 0;
    if (error.failure() != SinkFailure::fenced || empty || for_this_long < timeout_) throw;
    throw cdc::SinkError(SinkFailure::unavailable, std::string(error.what()) + " (open for " +
                                                       seconds_text(for_this_long) + ")");
  }
  if (state_ == State::sealed && producer_.unacknowledged() == 0) {
    state_ = State::committing;
    committer_.commit();
  }
  if (state_ == State::open) look_at_clock(Clock::now());
}

void KafkaTransactions::take_reports(cdc::Progress& progress) {
  KafkaReports reports;
  reports.deliveries = &deliveries_;
  producer_.collect(reports);
  progress.freed_bytes += reports.freed_bytes;
  progress.freed_records += reports.freed_records;
  if (state_ != State::committing) return;
  const auto ended = committer_.take_ended();
  if (!ended) return;
  producer_.require(*ended, "committing a transaction");
  committed(progress);
}

void KafkaTransactions::look_at_clock(Clock::time_point now) {
  if (std::exchange(records_then_, records_) != records_) fed_at_ = now;
  if (unit_open_ && now - begun_ >= timeout_) too_long(now);
  if (records_ == 0) {
    // A bookmark for silence alone: as often as it is asked for.
    if (wanted_.position > covered_.position) seal(now);
    return;
  }
  const auto since = quiet_ ? sealed_at_ : std::max(begun_, sealed_at_);
  const auto at = since + settings_.transaction_every;
  if (now < at && !flushing_) return committer_.wake_at(at);
  due_ = true;
  if (!unit_open_) seal(now);
}

void KafkaTransactions::seal(Clock::time_point now) {
  reached_ = highest(reached_, wanted_);
  if (records_ == 0) begun_ = now;
  send_bookmark_(reached_);
  producer_.end_linger();
  state_ = State::sealed;
  sealed_at_ = now;
  due_ = false;
}

void KafkaTransactions::committed(cdc::Progress& progress) {
  progress.deliveries.insert(progress.deliveries.end(), deliveries_.begin(), deliveries_.end());
  progress.bookmarked = reached_.position;
  covered_ = reached_;
  committed_events_ = producer_.events();
  committed_bytes_ = producer_.bytes();
  deliveries_.clear();
  records_ = 0;
  state_ = State::open;
  feed();
}

// What came in meanwhile, until it fills a transaction of its own.
void KafkaTransactions::feed() {
  while (state_ == State::open && !held_.empty()) {
    const auto item = held_.front();
    if (item.topic != nullptr) {
      send(*item.topic, item.record, item.transaction);
    } else {
      ended(item.end_lsn);
    }
    held_.pop();
  }
}

bool KafkaTransactions::timeout_is_given() const {
  return settings_.properties.contains("transaction.timeout.ms");
}

bool KafkaTransactions::takes_longest_from_now_on() {
  return !timeout_is_given() && !std::exchange(memory_.needs_longest_transactions, true);
}

// The coordinator would abort it. With brokers that take nothing it is not the transaction that is
// too long.
void KafkaTransactions::too_long(Clock::time_point now) {
  const std::string figures =
      std::to_string(records_) + " records in " + seconds_text(now - begun_);
  if (const auto stalled = producer_.stalled_because(); !stalled.empty()) {
    throw kafka_error(settings_, SinkFailure::unavailable, stalled);
  }
  if (now - fed_at_ >= pause_time) {
    throw kafka_error(settings_, SinkFailure::unavailable,
                      "the rest of a source transaction does not come: nothing for " +
                          seconds_text(now - fed_at_) +
                          ", and its Kafka transaction may last no longer (" + figures + ")");
  }
  if (takes_longest_from_now_on()) {
    throw kafka_error(settings_, SinkFailure::once_more,
                      "a source transaction is longer than a Kafka transaction may be (" + figures +
                          "): it is tried again with the brokers' transaction.max.timeout.ms");
  }
  throw kafka_error(settings_, SinkFailure::undeliverable,
                    "a source transaction is longer than a Kafka transaction may be: " + figures +
                        ", and more to come; raise " +
                        (timeout_is_given() ? "properties.transaction.timeout.ms"
                                            : "transaction.max.timeout.ms of the brokers") +
                        " (now " + std::to_string(timeout_.count()) +
                        " ms), or use delivery: at_least_once");
}

bool KafkaTransactions::waits_for_more() const {
  return flushing_ && state_ == State::open && unit_open_ && held_.empty();
}

std::string KafkaTransactions::stalled_because() const {
  const auto for_this_long = Clock::now() - sealed_at_;
  if (state_ == State::open || for_this_long < stall_time) return {};
  return "a Kafka transaction is not committed for " + seconds_text(for_this_long) + ": " +
         producer_.trouble();
}

// Only the next start could end it else, and consumers would wait for that.
void KafkaTransactions::close() {
  if (state_ != State::open || records_ == 0) return;
  committer_.abort();
  const auto deadline = Clock::now() + kafka_patience;
  while (!committer_.take_ended() && Clock::now() < deadline) {
    pollfd ready{producer_.ready_fd(), POLLIN, 0};
    ::poll(&ready, 1, poll_ms);
    producer_.drop_reports();
  }
}

}  // namespace pgcourier::sinks
