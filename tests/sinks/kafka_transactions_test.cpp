// Exactly once, against librdkafka's mock cluster, which knows transactions but hides nothing from
// readers and fences nobody: those are for tests/integration/exactly_once.py.
#include "sinks/kafka_transactions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "sinks/kafka_sink.hpp"
#include "tests/sinks/kafka_mock_cluster.hpp"
#include "tests/sinks/kafka_support.hpp"

namespace pgcourier::sinks {
namespace {

using namespace std::chrono_literals;
using cdc::Routing;
using cdc::SinkError;
using cdc::SinkFailure;
using protocol::Lsn;
using testing::HasSubstr;
using tests::error_of;
using tests::kafka_bookmark;
using tests::KafkaMockCluster;
using tests::read_topic;
using tests::record;

constexpr std::int32_t partitions = KafkaMockCluster::partitions;
constexpr std::int16_t add_partitions_request = 24;
constexpr std::int16_t end_transaction_request = 26;

class KafkaTransactionsTest : public testing::Test {
 protected:
  KafkaTransactionsTest() {
    settings_.brokers = cluster_.brokers();
    settings_.exactly_once = true;
    settings_.transaction_every = 1ms;
  }

  void start() {
    sink_ = std::make_unique<KafkaSink>(settings_, config::Source{}, "shop", memory_);
    sink_->start(sink_->open().value_or(kafka_bookmark(0x10)));
    sink_->prepare(orders_);
  }

  void write(int records) {
    for (int i = 0; i < records; ++i) {
      cdc::EncodedEvent event;
      event.record = record(orders_, Routing::by_key, R"({"id":7})", "value");
      const auto written = sink_->write(event, unit_);
      held_ += written.bytes;
    }
  }
  void commit() {
    end_lsn_ = Lsn{end_lsn_.value + 0x10};
    sink_->commit(unit_++, end_lsn_);
  }

  void collect() {
    cdc::Progress progress;
    sink_->collect(progress);
    for (const auto& delivery : progress.deliveries)
      of_unit_[delivery.transaction] += delivery.count;
    held_ -= progress.freed_bytes;
    freed_records_ += progress.freed_records;
    if (progress.bookmarked) bookmarked_.push_back(*progress.bookmarked);
  }

  bool wait_until(const std::function<bool()>& reached, std::chrono::seconds patience = 20s) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!reached()) {
      if (std::chrono::steady_clock::now() > end) return false;
      pollfd ready{sink_->ready_fd(), POLLIN, 0};
      ::poll(&ready, 1, 20);
      collect();
    }
    return true;
  }
  bool wait_for_bookmark() {
    return wait_until([this] { return !bookmarked_.empty() && bookmarked_.back() == end_lsn_; });
  }

  std::size_t bookmarks() { return read_topic(settings_.brokers, "shop.__position", 1).size(); }

  KafkaMockCluster cluster_;
  config::KafkaSettings settings_;
  KafkaMemory memory_;
  cdc::Relation orders_ = tests::relation(0, "public", "orders");
  std::unique_ptr<KafkaSink> sink_;

  cdc::TransactionNumber unit_ = 0;
  Lsn end_lsn_{0x1000};
  std::map<cdc::TransactionNumber, std::size_t> of_unit_;
  std::size_t held_ = 0;
  std::size_t freed_records_ = 0;
  std::vector<Lsn> bookmarked_;
};

TEST_F(KafkaTransactionsTest, ReportsATransactionWithItsBookmarkWhenItIsCommitted) {
  start();
  write(3);
  commit();
  ASSERT_TRUE(wait_for_bookmark());
  EXPECT_EQ(of_unit_, (std::map<cdc::TransactionNumber, std::size_t>{{0, 3}}));
  EXPECT_EQ(held_, 0u);
  EXPECT_EQ(sink_->totals().events, 3u);
  EXPECT_EQ(bookmarks(), 2u);  // the first one, and that of the transaction
}

// Its bytes are free as soon as the brokers have them: it may be larger than what may be in flight.
TEST_F(KafkaTransactionsTest, NeverEndsWithinASourceTransaction) {
  settings_.transaction_size = 10;
  start();
  write(1000);
  ASSERT_TRUE(wait_until([this] { return held_ == 0; }));
  EXPECT_EQ(freed_records_, 1000u);
  EXPECT_FALSE(wait_until([this] { return !bookmarked_.empty(); }, 1s));
  EXPECT_TRUE(of_unit_.empty());
  EXPECT_EQ(bookmarks(), 1u);
  commit();
  ASSERT_TRUE(wait_for_bookmark());
  EXPECT_EQ(of_unit_[0], 1000u);
}

TEST_F(KafkaTransactionsTest, HoldsWhatComesWhileOneIsCommitted) {
  start();
  for (int i = 0; i < 300; ++i) {
    write(1 + i % 3);
    commit();
    collect();
  }
  ASSERT_TRUE(wait_for_bookmark());
  ASSERT_EQ(of_unit_.size(), 300u);
  for (const auto& [unit, count] : of_unit_) EXPECT_EQ(count, 1 + unit % 3);
  EXPECT_EQ(held_, 0u);
  EXPECT_TRUE(std::is_sorted(bookmarked_.begin(), bookmarked_.end()));
  const auto records = read_topic(settings_.brokers, "shop.public.orders", partitions);
  EXPECT_EQ(records.size(), 600u);
}

TEST_F(KafkaTransactionsTest, EndsWithTheSourceTransactionThatFillsIt) {
  settings_.transaction_every = 1h;
  settings_.transaction_size = 5;
  start();
  for (int i = 0; i < 4; ++i) {
    write(2);
    commit();
  }
  const Lsn third{end_lsn_.value - 0x10};
  ASSERT_TRUE(wait_until([&] { return !bookmarked_.empty(); }));
  EXPECT_EQ(bookmarked_.back(), third);
  EXPECT_EQ(of_unit_.size(), 3u);
  EXPECT_FALSE(wait_until([this] { return of_unit_.size() == 4; }, 1s));
  sink_->flush();
  EXPECT_TRUE(wait_for_bookmark());
}

TEST_F(KafkaTransactionsTest, LastsAsLongAsTheSettingSaysWhileMoreComes) {
  settings_.transaction_every = 700ms;
  start();
  const auto begun = std::chrono::steady_clock::now();
  write(1);
  commit();
  ASSERT_TRUE(wait_for_bookmark());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 700ms);
}

TEST_F(KafkaTransactionsTest, DoesNotLetAQuietStreamWait) {
  settings_.transaction_every = 5s;
  start();
  ASSERT_FALSE(wait_until([] { return false; }, 6s));
  const auto begun = std::chrono::steady_clock::now();
  write(1);
  commit();
  sink_->stop_lingering();
  ASSERT_TRUE(wait_for_bookmark());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
}

TEST_F(KafkaTransactionsTest, MovesTheBookmarkOfASilentStream) {
  start();
  sink_->advance({Lsn{0x10}, Lsn{0x9000}});
  ASSERT_TRUE(wait_until([this] { return !bookmarked_.empty(); }));
  EXPECT_EQ(bookmarked_.back(), Lsn{0x9000});
  EXPECT_EQ(bookmarks(), 2u);
  // What is covered already is no reason for another one.
  sink_->advance({Lsn{0x10}, Lsn{0x9000}});
  EXPECT_FALSE(wait_until([this] { return bookmarked_.size() > 1; }, 1s));
}

TEST_F(KafkaTransactionsTest, AUnitOfNoEventIsPassedByWithTheNextBookmark) {
  start();
  commit();
  EXPECT_FALSE(wait_until([this] { return !bookmarked_.empty(); }, 1s));
  write(1);
  commit();
  ASSERT_TRUE(wait_for_bookmark());
}

TEST_F(KafkaTransactionsTest, GoesOnWithTheBookmarkOfTheLastSession) {
  start();
  write(2);
  commit();
  ASSERT_TRUE(wait_for_bookmark());
  sink_->close();
  sink_ = std::make_unique<KafkaSink>(settings_, config::Source{}, "shop", memory_);
  const auto bookmark = sink_->open();
  ASSERT_TRUE(bookmark);
  EXPECT_EQ(bookmark->position.position, end_lsn_);
  EXPECT_EQ(bookmark->position.delivered, end_lsn_);
}

// Nobody need wait for the rest of it: it does not come.
TEST_F(KafkaTransactionsTest, GivesUpAtTheEndWhatIsNotWhole) {
  start();
  write(2);
  commit();
  write(3);
  EXPECT_FALSE(sink_->waits_for_more());
  sink_->flush();
  ASSERT_TRUE(wait_until([this] { return sink_->waits_for_more(); }));
  sink_->close();
  EXPECT_EQ(of_unit_[1], 0u);
}

// Neither who writes meanwhile nor, by a time-out of ours, itself.
TEST_F(KafkaTransactionsTest, ACommitThatTakesLongBlocksNothing) {
  start();
  cluster_.set_round_trip(1500ms);
  write(2);
  commit();
  auto longest = 0ns;
  auto last = std::chrono::steady_clock::now();
  const auto committed = [&] {
    const auto now = std::chrono::steady_clock::now();
    longest = std::max(longest, now - std::exchange(last, now));
    write(1);
    commit();
    return of_unit_[0] == 2;
  };
  EXPECT_NO_THROW(EXPECT_TRUE(wait_until(committed)));
  EXPECT_LT(longest, 1s);
  cluster_.set_round_trip(0ms);
  EXPECT_NO_THROW(EXPECT_TRUE(wait_for_bookmark()));
}

TEST_F(KafkaTransactionsTest, TriesAgainWhatABrokerCouldNotDo) {
  start();
  cluster_.next_requests_fail_with(
      add_partitions_request,
      {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE});
  cluster_.next_requests_fail_with(
      end_transaction_request,
      {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR});
  write(2);
  commit();
  ASSERT_TRUE(wait_for_bookmark());
  EXPECT_EQ(of_unit_[0], 2u);
}

TEST_F(KafkaTransactionsTest, SaysThatItIsFenced) {
  for (const auto request : {add_partitions_request, end_transaction_request}) {
    start();
    cluster_.next_requests_fail_with(request, {RD_KAFKA_RESP_ERR_PRODUCER_FENCED});
    write(2);
    commit();
    const auto error = error_of([this] { wait_until([] { return false; }, 10s); });
    EXPECT_EQ(error.failure(), SinkFailure::fenced) << error.what();
    EXPECT_TRUE(of_unit_.empty());
    sink_.reset();
  }
}

// The brokers would abort it; the first time the next session is given the longest one there is.
TEST_F(KafkaTransactionsTest, RefusesASourceTransactionThatIsTooLong) {
  settings_.properties["transaction.timeout.ms"] = "1000";
  start();
  write(10);
  const auto error = error_of([this] { wait_until([] { return false; }, 10s); });
  EXPECT_EQ(error.failure(), SinkFailure::undeliverable);
  EXPECT_THAT(error.what(), HasSubstr("10 records in 1 s, and more to come; raise "
                                      "properties.transaction.timeout.ms (now 1000 ms)"));
  EXPECT_FALSE(memory_.needs_longest_transactions);
}

// Another sink that stalls holds up this one too: no reason to stop for good.
TEST_F(KafkaTransactionsTest, TriesAgainWhenTheRestOfASourceTransactionDoesNotCome) {
  settings_.properties["transaction.timeout.ms"] = "6000";
  start();
  write(10);
  const auto error = error_of([this] { wait_until([] { return false; }, 20s); });
  EXPECT_EQ(error.failure(), SinkFailure::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("the rest of a source transaction does not come"));
}

}  // namespace
}  // namespace pgcourier::sinks
