// Against librdkafka's mock cluster, which knows neither CreateTopics nor DescribeConfigs; those,
// and what a restarted broker does, are tested by kafka_live_test.cpp.
#include "sinks/kafka_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
using tests::KafkaDriver;
using tests::KafkaMockCluster;
using tests::read_topic;
using tests::record;

constexpr std::int32_t partitions = KafkaMockCluster::partitions;
constexpr std::int16_t produce_request = 0;

class KafkaSinkTest : public testing::Test {
 protected:
  KafkaSinkTest() { settings_.brokers = cluster_.brokers(); }

  std::unique_ptr<KafkaSink> make() {
    return std::make_unique<KafkaSink>(settings_, source_, "shop", memory_);
  }

  std::unique_ptr<KafkaSink> started() {
    auto sink = make();
    sink->start(sink->open().value_or(kafka_bookmark(0x10)));
    sink->prepare(orders_);
    return sink;
  }

  std::vector<tests::ReadRecord> read(const std::string& topic = "shop.public.orders",
                                      std::int32_t count = partitions) {
    return read_topic(settings_.brokers, topic, count);
  }

  void next_produce_requests_fail_with(const std::vector<rd_kafka_resp_err_t>& errors) {
    cluster_.next_requests_fail_with(produce_request, errors);
  }

  KafkaMockCluster cluster_;
  config::KafkaSettings settings_;
  KafkaMemory memory_;
  config::Source source_;
  cdc::Relation orders_ = tests::relation(0, "public", "orders");
};

TEST_F(KafkaSinkTest, ReportsEveryRecordOnceAndFreesItsBytes) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  for (int i = 0; i < 1000; ++i) {
    driver.write(record(orders_, Routing::by_key, R"({"id":7})", "value " + std::to_string(i)));
  }
  EXPECT_GT(driver.held, 1000u);
  ASSERT_TRUE(driver.wait_for_all());
  EXPECT_EQ(driver.held, 0u);
  EXPECT_EQ(driver.of_unit.size(), 1000u);
  EXPECT_EQ(sink->totals().events, 1000u);

  const auto records = read();
  ASSERT_EQ(records.size(), 1000u);
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].value, "value " + std::to_string(i));
  }
}

TEST_F(KafkaSinkTest, GivesRecordsTheCommitTime) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  auto one = record(orders_, Routing::by_key, "k", "v");
  one.commit_time = protocol::from_unix_microseconds(1'790'000'000'123'456);
  one.has_commit_time = true;
  driver.write(one);
  ASSERT_TRUE(driver.wait_for_all());
  EXPECT_EQ(read().at(0).timestamp_ms, 1'790'000'000'123);
}

// Vectors of Kafka's own UtilsTest.
TEST_F(KafkaSinkTest, PartitionsByJavasMurmur2) {
  const std::map<std::string, std::int32_t> hashes{{"21", -973932308},
                                                   {"foobar", -790332482},
                                                   {"a-little-bit-long-string", -985981536},
                                                   {"abc", 479470107}};
  const auto sink = started();
  KafkaDriver driver(*sink);
  for (const auto& [key, hash] : hashes) driver.write(record(orders_, Routing::by_key, key, "v"));
  ASSERT_TRUE(driver.wait_for_all());
  for (const auto& one : read()) {
    EXPECT_EQ(one.partition, (hashes.at(one.key) & 0x7fffffff) % partitions) << one.key;
  }
}

TEST_F(KafkaSinkTest, KeepsATableWithoutKeyInOnePartition) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  for (int i = 0; i < 20; ++i) driver.write(record(orders_, Routing::by_table, "", "v"));
  ASSERT_TRUE(driver.wait_for_all());
  const auto records = read();
  ASSERT_EQ(records.size(), 20u);
  const auto expected =
      rd_kafka_msg_partitioner_murmur2(nullptr, "public.orders", 13, partitions, nullptr, nullptr);
  for (const auto& one : records) {
    EXPECT_EQ(one.partition, expected);
    EXPECT_FALSE(one.has_key);
  }
}

TEST_F(KafkaSinkTest, SplitsAChangeOfKeyUnderBothKeys) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  cdc::EncodedEvent event;
  event.key_changed = true;
  event.removal = record(orders_, Routing::by_key, "old", "delete");
  event.insertion = record(orders_, Routing::by_key, "new", "insert");
  driver.write(event);
  EXPECT_EQ(driver.expected, 2u);
  ASSERT_TRUE(driver.wait_for_all());
  const auto records = read();
  ASSERT_EQ(records.size(), 2u);
  for (const auto& one : records) {
    EXPECT_EQ(one.key, one.value == "delete" ? "old" : "new");
    EXPECT_EQ(one.key_change, one.value);
  }
}

TEST_F(KafkaSinkTest, SendsATruncateToEveryPartition) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::every_partition, "", "truncate"));
  EXPECT_EQ(driver.expected, static_cast<std::size_t>(partitions));
  ASSERT_TRUE(driver.wait_for_all());
  std::vector<std::int32_t> seen;
  for (const auto& one : read()) seen.push_back(one.partition);
  EXPECT_THAT(seen, testing::ElementsAre(0, 1, 2, 3));
}

TEST_F(KafkaSinkTest, SendsLogicalMessagesToTheirOwnTopicByPrefix) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  cdc::Record message;
  message.routing = Routing::logical_message;
  message.key = "prefix";
  message.value = "content";
  driver.write(message);
  ASSERT_TRUE(driver.wait_for_all());
  const auto records = read("shop.message");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].key, "prefix");
  EXPECT_GT(records[0].timestamp_ms, 1'700'000'000'000);
}

TEST_F(KafkaSinkTest, SendsWhatBecameOfPreparedTransactionsToATopicByGid) {
  cdc::Record outcome;
  outcome.routing = Routing::outcome;
  outcome.key = "gid";
  outcome.value = "prepare";
  EXPECT_THAT(error_of([&] { KafkaDriver(*started()).write(outcome); }).what(),
              HasSubstr("source.two_phase is off"));

  source_.two_phase = true;
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(outcome);
  outcome.value = "commit_prepared";
  driver.write(outcome);
  ASSERT_TRUE(driver.wait_for_all());
  const auto records = read("shop.transaction");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].partition, records[1].partition);
  EXPECT_EQ(records[0].key, "gid");
  EXPECT_EQ(records[0].value, "prepare");
  EXPECT_EQ(records[1].value, "commit_prepared");
}

TEST_F(KafkaSinkTest, RemembersTheBookmarkItStartsWith) {
  EXPECT_EQ(make()->peek_bookmark(), std::nullopt);
  started();
  EXPECT_EQ(make()->peek_bookmark(), kafka_bookmark(0x10));
  EXPECT_EQ(make()->open(), kafka_bookmark(0x10));
}

TEST_F(KafkaSinkTest, KeepsTheBookmarksOfSinksApart) {
  started();
  settings_.id = "other";
  EXPECT_EQ(make()->peek_bookmark(), std::nullopt);
}

TEST_F(KafkaSinkTest, EndsWithTheNewestBookmarkAskedFor) {
  {
    const auto sink = started();
    KafkaDriver driver(*sink);
    for (std::uint64_t lsn = 0x20; lsn <= 0x40; ++lsn) sink->advance({Lsn{lsn}, Lsn{lsn}});
    ASSERT_TRUE(driver.wait_until([&] { return driver.bookmarked == Lsn{0x40}; }));
    EXPECT_EQ(driver.delivered, 0u);
  }
  EXPECT_EQ(make()->peek_bookmark(), kafka_bookmark(0x40));
  EXPECT_EQ(read("shop.__position", 1).size(), 3u);  // the first, the next, the newest
}

TEST_F(KafkaSinkTest, TellsOfABookmarkOnceItIsAcknowledged) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  cluster_.set_round_trip(1s);
  sink->advance({Lsn{0x20}, Lsn{0x20}});
  const auto asked = std::chrono::steady_clock::now();
  driver.collect();
  EXPECT_EQ(driver.bookmarked, Lsn{});
  ASSERT_TRUE(driver.wait_until([&] { return driver.bookmarked == Lsn{0x20}; }));
  EXPECT_GE(std::chrono::steady_clock::now() - asked, 1s);
}

TEST_F(KafkaSinkTest, RefusesABookmarkItCannotRead) {
  KafkaAdmin(settings_, "test").write_record("shop.__position", "kafka", "{\"torn\":");
  const auto error = error_of([&] { make()->open(); });
  EXPECT_EQ(error.failure(), SinkFailure::bookmark);
  EXPECT_THAT(error.what(), HasSubstr("shop.__position"));
}

TEST_F(KafkaSinkTest, KeepsTheOrderOverRetriesAndLostConnections) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  next_produce_requests_fail_with(
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT,
       RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
  for (int i = 0; i < 300; ++i) {
    driver.write(record(orders_, Routing::by_key, "k", std::to_string(i)));
    if (i % 50 == 0) driver.collect();
  }
  ASSERT_TRUE(driver.wait_for_all());
  int next = 0;
  for (const auto& one : read()) {
    // What was taken before the connection broke may be there twice; nothing new comes early.
    ASSERT_LE(std::stoi(one.value), next);
    if (std::stoi(one.value) == next) ++next;
  }
  EXPECT_EQ(next, 300);
}

// What bounds them is limits.in_flight_bytes; librdkafka's own default is fewer.
TEST_F(KafkaSinkTest, TakesAsManyRecordsAsAreHandedOver) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  EXPECT_NO_THROW({
    for (int i = 0; i < 120'000; ++i) driver.write(record(orders_, Routing::by_key, "k", "v"));
  });
  EXPECT_TRUE(driver.wait_for_all(60));
}

// The idempotent producer does nothing any more; a new one may.
TEST_F(KafkaSinkTest, AFatalErrorEndsTheSessionOnly) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  next_produce_requests_fail_with({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  const auto error = error_of([&] { driver.wait_for_all(); });
  EXPECT_EQ(error.failure(), SinkFailure::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("out of order sequence number"));
  EXPECT_EQ(driver.delivered, 0u);
}

TEST_F(KafkaSinkTest, StopsAtARecordTheBrokerWillNeverTake) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  next_produce_requests_fail_with({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  const auto error = error_of([&] { driver.wait_for_all(); });
  EXPECT_EQ(error.failure(), SinkFailure::undeliverable);
  EXPECT_THAT(error.what(), HasSubstr("public.orders"));
  EXPECT_EQ(driver.delivered, 0u);
}

TEST_F(KafkaSinkTest, TakesAMissingPermissionForSomethingThatPasses) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  next_produce_requests_fail_with({RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  const auto error = error_of([&] { driver.wait_for_all(); });
  EXPECT_EQ(error.failure(), SinkFailure::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("authorization"));
}

TEST_F(KafkaSinkTest, NamesThePropertyThatLibrdkafkaDoesNotKnow) {
  settings_.properties["lingr.ms"] = "5";
  const auto error = error_of([&] { make()->open(); });
  EXPECT_EQ(error.failure(), SinkFailure::settings);
  EXPECT_THAT(error.what(), HasSubstr("lingr.ms"));
}

TEST_F(KafkaSinkTest, NamesBothTablesThatWouldShareATopic) {
  cluster_.add_topic("shop.a.b.c");
  const auto sink = started();
  sink->prepare(tests::relation(1, "a", "b.c"));
  const auto error = error_of([&] { sink->prepare(tests::relation(2, "a.b", "c")); });
  EXPECT_EQ(error.failure(), SinkFailure::settings);
  EXPECT_THAT(error.what(), HasSubstr("table a.b.c and of table a.b.c"));
}

TEST_F(KafkaSinkTest, TakesANewVersionOfATableIntoItsTopic) {
  const auto sink = started();
  const auto altered = tests::relation(1, "public", "orders");
  sink->prepare(altered);
  KafkaDriver driver(*sink);
  driver.write(record(altered, Routing::by_key, "k", "v"));
  ASSERT_TRUE(driver.wait_for_all());
  EXPECT_EQ(read().size(), 1u);
}

TEST_F(KafkaSinkTest, SaysWhichBrokersItCannotReach) {
  config::KafkaSettings settings;
  settings.brokers = "127.0.0.1:1";
  KafkaAdmin admin(settings, "test", std::chrono::milliseconds(200));
  const auto error = error_of([&] { admin.connect(); });
  EXPECT_EQ(error.failure(), SinkFailure::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(error.what(), HasSubstr("Connection refused"));
}

TEST_F(KafkaSinkTest, CanBeDestroyedWithRecordsOnTheirWay) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  next_produce_requests_fail_with(std::vector(100, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS));
  for (int i = 0; i < 100; ++i) driver.write(record(orders_, Routing::by_key, "k", "v"));
}

TEST_F(KafkaSinkTest, ADeadLetterIsWaitedFor) {
  cluster_.add_topic("shop.dead_letter");
  settings_.undeliverable = config::Undeliverable::dead_letter;
  memory_.refused.insert(fingerprint("shop.public.orders", "k", "v"));
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  EXPECT_EQ(driver.expected, 1u);
  ASSERT_TRUE(driver.wait_until([&] { return driver.delivered == 1; }));
  EXPECT_EQ(read("shop.dead_letter").size(), 1u);
  EXPECT_EQ(read().size(), 0u);
}

// A broker refuses a batch as a whole; which record it meant shows when each is sent by itself.
TEST_F(KafkaSinkTest, FindsTheRecordThatABrokerRefusesAndSendsTheOthers) {
  cluster_.add_topic("shop.dead_letter");
  for (const auto policy : {config::Undeliverable::skip, config::Undeliverable::dead_letter}) {
    settings_.undeliverable = policy;
    memory_ = {};
    const auto write_three = [this](KafkaDriver& driver) {
      for (const char* key : {"a", "b", "c"}) {
        driver.write(record(orders_, Routing::by_key, key, "v"));
      }
    };
    const auto refused_session = [&] {
      const auto sink = started();
      KafkaDriver driver(*sink);
      next_produce_requests_fail_with({RD_KAFKA_RESP_ERR_INVALID_RECORD});
      write_three(driver);
      const auto error = error_of([&] { driver.wait_for_all(); });
      EXPECT_EQ(error.failure(), SinkFailure::once_more) << error.what();
      return std::string(error.what());
    };
    EXPECT_THAT(refused_session(), HasSubstr("each record is sent by itself now"));
    EXPECT_TRUE(memory_.refused.empty());
    EXPECT_THAT(refused_session(), HasSubstr("it is the record itself"));
    EXPECT_EQ(memory_.refused.size(), 1u);

    const auto before = read().size();
    const auto sink = started();
    KafkaDriver driver(*sink);
    write_three(driver);
    ASSERT_TRUE(driver.wait_for_all());
    EXPECT_EQ(read().size(), before + 2);
    const auto warnings = sink->take_warnings();
    ASSERT_EQ(warnings.size(), 1u);
    const bool skipped = policy == config::Undeliverable::skip;
    EXPECT_EQ(driver.delivered, skipped ? 2u : 3u);
    EXPECT_THAT(warnings[0], HasSubstr(skipped ? "skipped" : "written to shop.dead_letter"));
    EXPECT_THAT(warnings[0], HasSubstr("topic shop.public.orders (table public.orders), commit "));
    EXPECT_EQ(read("shop.dead_letter").size(), skipped ? 0u : 1u);
  }
}

}  // namespace
}  // namespace pgcourier::sinks
