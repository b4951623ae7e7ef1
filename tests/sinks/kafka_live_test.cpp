// Against a real broker, for what the mock cluster can't show. Driven by
// tests/integration/kafka_sink/run.py, which does to the broker what a line "@…" on stdout asks for
// and answers with a line; PGCOURIER_TEST_KAFKA holds the broker's address.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <set>

#include "sinks/kafka_checks.hpp"
#include "sinks/kafka_sink.hpp"
#include "tests/sinks/kafka_support.hpp"

namespace pgcourier::sinks {
namespace {

using cdc::Routing;
using cdc::SinkError;
using cdc::SinkFailure;
using protocol::Lsn;
using testing::HasSubstr;
using tests::error_of;
using tests::kafka_bookmark;
using tests::KafkaDriver;
using tests::read_topic;
using tests::record;

void ask(const std::string& what) { std::cout << "\n@" << what << std::endl; }

void await_answer() {
  std::string line;
  std::getline(std::cin, line);
}

class KafkaLive : public testing::Test {
 protected:
  void SetUp() override {
    const char* brokers = std::getenv("PGCOURIER_TEST_KAFKA");
    if (brokers == nullptr) GTEST_SKIP() << "PGCOURIER_TEST_KAFKA is not set";
    settings_.brokers = brokers;
    // Topics of its own for each test.
    name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
    topic_ = name_ + ".public.orders";
  }

  std::unique_ptr<KafkaSink> make() {
    return std::make_unique<KafkaSink>(settings_, config::Source{}, name_, memory_);
  }

  std::unique_ptr<KafkaSink> started() {
    auto sink = make();
    sink->start(sink->open().value_or(kafka_bookmark(0x10)));
    sink->prepare(orders_);
    return sink;
  }

  config::KafkaSettings settings_;
  KafkaMemory memory_;
  std::string name_;
  std::string topic_;
  cdc::Relation orders_ = tests::relation(0, "public", "orders");
};

TEST_F(KafkaLive, MakesItsTopicsAndReadsItsBookmarkBack) {
  EXPECT_EQ(make()->peek_bookmark(), std::nullopt);
  EXPECT_EQ(KafkaAdmin(settings_, "test").find_topic(name_ + ".__position"), std::nullopt);
  {
    const auto sink = started();
    KafkaDriver driver(*sink);
    driver.write(record(orders_, Routing::by_key, "k", "v"));
    ASSERT_TRUE(driver.wait_for_all());
    sink->advance({Lsn{0x20}, Lsn{0x30}});
    ASSERT_TRUE(driver.wait_until([&] { return driver.bookmarked == Lsn{0x30}; }));
    sink->close();
  }
  auto expected = kafka_bookmark(0x20);
  expected.position.position = Lsn{0x30};
  EXPECT_EQ(make()->peek_bookmark(), expected);

  KafkaAdmin admin(settings_, "test");
  EXPECT_EQ(admin.find_topic(topic_)->partitions, 6);
  EXPECT_EQ(admin.find_topic(name_ + ".message")->partitions, 6);
  EXPECT_EQ(admin.find_topic(name_ + ".__position")->partitions, 1);
  EXPECT_EQ(admin.topic_config(name_ + ".__position")->at("cleanup.policy"), "compact");
}

// As a stopped-and-continued instance writes it.
TEST_F(KafkaLive, AnOlderBookmarkThatComesLateChangesNothing) {
  const std::string topic = name_ + ".__position";
  const auto late = [&](std::uint64_t position) {
    KafkaAdmin(settings_, "test")
        .write_record(topic, "kafka", cdc::to_json(kafka_bookmark(position)));
  };
  started();
  late(0x30);
  late(0x20);
  EXPECT_EQ(make()->peek_bookmark(), kafka_bookmark(0x30));

  // The next session makes the right one the last, which a compaction keeps.
  started();
  EXPECT_EQ(read_topic(settings_.brokers, topic, 1).back().value,
            to_json(KafkaBookmark{kafka_bookmark(0x30), 0}));
  const auto count = read_topic(settings_.brokers, topic, 1).size();
  started();
  EXPECT_EQ(read_topic(settings_.brokers, topic, 1).size(), count);
}

TEST_F(KafkaLive, SetBackDeliberatelyNothingOlderCounts) {
  const std::string topic = name_ + ".__position";
  const auto set_to = [&](std::uint64_t position) {
    const auto sink = make();
    sink->open();
    sink->start(kafka_bookmark(position));
  };
  set_to(0x30);
  set_to(0x10);
  KafkaAdmin(settings_, "test").write_record(topic, "kafka", cdc::to_json(kafka_bookmark(0x40)));
  EXPECT_EQ(make()->peek_bookmark(), kafka_bookmark(0x10));
  {
    const auto sink = started();
    KafkaDriver driver(*sink);
    sink->advance({Lsn{0x20}, Lsn{0x20}});
    ASSERT_TRUE(driver.wait_until([&] { return driver.bookmarked == Lsn{0x20}; }));
  }
  EXPECT_EQ(make()->peek_bookmark(), kafka_bookmark(0x20));
}

TEST_F(KafkaLive, ReadsWhatACompactionLeft) {
  const std::string topic = name_ + ".__position";
  make()->open();  // makes the topic
  KafkaAdmin admin(settings_, "test");
  admin.write_record(topic, "kafka", to_json(KafkaBookmark{kafka_bookmark(0x30), 2}));
  EXPECT_EQ(make()->peek_bookmark(), kafka_bookmark(0x30));
  started();
  EXPECT_EQ(read_topic(settings_.brokers, topic, 1).size(), 1u);
}

TEST_F(KafkaLive, NeverLetsTheBrokerMakeATopic) {
  settings_.create_topics.reset();
  const auto first = error_of([&] { make()->open(); });
  EXPECT_EQ(first.failure(), SinkFailure::unavailable);
  EXPECT_THAT(first.what(), HasSubstr(name_ + ".__position does not exist"));
  EXPECT_EQ(KafkaAdmin(settings_, "test").find_topic(name_ + ".__position"), std::nullopt);
}

TEST_F(KafkaLive, RefusesABookmarkTopicThatWouldForget) {
  KafkaAdmin(settings_, "test").create_topic(name_ + ".__position", 1, {});
  const auto error = error_of([&] { make()->open(); });
  EXPECT_EQ(error.failure(), SinkFailure::settings);
  EXPECT_THAT(error.what(), HasSubstr("cleanup.policy"));
}

TEST_F(KafkaLive, RefusesABookmarkTopicOfSeveralPartitions) {
  KafkaAdmin(settings_, "test").create_topic(name_ + ".__position", 2, {});
  const auto error = error_of([&] { make()->open(); });
  EXPECT_EQ(error.failure(), SinkFailure::settings);
  EXPECT_THAT(error.what(), HasSubstr("2 partitions"));
}

TEST_F(KafkaLive, IsCheckedWithoutLeavingATrace) {
  const auto errors = [&](const std::vector<std::pair<std::string, std::string>>& tables) {
    std::vector<std::string> texts;
    for (const auto& finding : check_kafka(settings_, name_, tables)) {
      if (finding.severity == KafkaFinding::Severity::error) texts.push_back(finding.what);
    }
    return texts;
  };
  EXPECT_THAT(errors({{"public", "orders"}}), testing::IsEmpty());
  EXPECT_THAT(errors({{"a", "b.c"}, {"a.b", "c"}}), testing::ElementsAre(HasSubstr("a.b.c")));
  EXPECT_EQ(KafkaAdmin(settings_, "test").find_topic(topic_), std::nullopt);

  KafkaAdmin(settings_, "test").create_topic(topic_, 1, {{"min.insync.replicas", "2"}});
  EXPECT_THAT(errors({{"public", "orders"}}),
              testing::ElementsAre(HasSubstr("min.insync.replicas=2")));
  settings_.create_topics.reset();
  EXPECT_THAT(errors({{"public", "other"}}),
              testing::ElementsAre(HasSubstr("__position does not exist"),
                                   HasSubstr("other does not exist")));
}

TEST_F(KafkaLive, WarnsOfATopicThatSoonForgets) {
  KafkaAdmin(settings_, "test").create_topic(topic_, 1, {{"retention.ms", "60000"}});
  std::vector<std::string> warnings;
  for (const auto& finding : check_kafka(settings_, name_, {{"public", "orders"}})) {
    if (finding.severity == KafkaFinding::Severity::warning) warnings.push_back(finding.what);
  }
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("retention.ms=60000")));
}

TEST_F(KafkaLive, ChecksTheSizeOfARecordBeforeItIsSent) {
  KafkaAdmin(settings_, "test").create_topic(topic_, 1, {{"max.message.bytes", "1500000"}});
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::by_key, "k", std::string(1'499'900, 'x')));
  ASSERT_TRUE(driver.wait_for_all());
  const auto error = error_of(
      [&] { driver.write(record(orders_, Routing::by_key, "k", std::string(1'500'000, 'x'))); });
  EXPECT_EQ(error.failure(), SinkFailure::undeliverable);
  EXPECT_THAT(error.what(), HasSubstr("public.orders"));
  EXPECT_THAT(error.what(), HasSubstr("1500000"));
}

TEST_F(KafkaLive, LeavesTheSizeOfCompressedRecordsToTheBroker) {
  settings_.properties["compression.type"] = "gzip";
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::by_key, "k", std::string(5'000'000, 'x')));
  ASSERT_TRUE(driver.wait_for_all());

  std::string noise(3'000'000, 'x');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  driver.write(record(orders_, Routing::by_key, "k", noise));
  const auto error = error_of([&] { driver.wait_for_all(); });
  EXPECT_EQ(error.failure(), SinkFailure::undeliverable);
  EXPECT_THAT(error.what(), HasSubstr("max.message.bytes"));
}

TEST_F(KafkaLive, WantsBatchesThatTheTopicTakes) {
  KafkaAdmin(settings_, "test").create_topic(topic_, 1, {{"max.message.bytes", "20000"}});
  const auto error = error_of([&] { started(); });
  EXPECT_EQ(error.failure(), SinkFailure::settings);
  EXPECT_THAT(error.what(), HasSubstr("batch.size"));

  settings_.properties["batch.size"] = "20000";
  const auto sink = started();
  KafkaDriver driver(*sink);
  for (int i = 0; i < 2000; ++i) {
    driver.write(record(orders_, Routing::by_key, "k", std::string(1000, 'x')));
  }
  EXPECT_TRUE(driver.wait_for_all());
}

TEST_F(KafkaLive, RefusesRecordsWithoutKeyInACompactedTopicAsUndeliverable) {
  KafkaAdmin(settings_, "test").create_topic(topic_, 1, {{"cleanup.policy", "compact"}});
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::by_table, "", "v"));
  const auto error = error_of([&] { driver.wait_for_all(); });
  EXPECT_EQ(error.failure(), SinkFailure::undeliverable);
  EXPECT_THAT(error.what(), HasSubstr("compacted"));
}

TEST_F(KafkaLive, LingersOnAQuietStreamOnlyAsLongAsTheUserSaid) {
  const auto median_time = [&] {
    const auto sink = started();
    KafkaDriver driver(*sink);
    std::vector<std::chrono::steady_clock::duration> times;
    for (int i = 0; i < 9; ++i) {
      const auto written = std::chrono::steady_clock::now();
      driver.write(record(orders_, Routing::by_key, "k", "v"));
      sink->stop_lingering();
      EXPECT_TRUE(driver.wait_for_all());
      times.push_back(std::chrono::steady_clock::now() - written);
    }
    std::nth_element(times.begin(), times.begin() + 4, times.end());
    return times[4];
  };
  EXPECT_LT(median_time(), std::chrono::milliseconds(40));
  settings_.properties["linger.ms"] = "200";
  EXPECT_GE(median_time(), std::chrono::milliseconds(200));
}

TEST_F(KafkaLive, EndsTheSessionWhenATopicDisappears) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  ASSERT_TRUE(driver.wait_for_all());
  ask("delete " + topic_);
  await_answer();
  const auto error = error_of([&] {
    for (int i = 0; i < 600; ++i) {
      driver.write(record(orders_, Routing::by_key, "k", "v"));
      driver.wait_until([] { return true; });
      driver.wait_for_all(1);
    }
  });
  EXPECT_EQ(error.failure(), SinkFailure::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("public.orders"));
}

TEST_F(KafkaLive, StopsWhenPartitionsAreAdded) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  ASSERT_TRUE(driver.wait_for_all());
  ask("partitions " + topic_ + " 9");
  await_answer();
  const auto error = error_of([&] {
    for (int i = 0; i < 60; ++i) {
      driver.write(record(orders_, Routing::by_key, std::to_string(i), "v"));
      driver.wait_for_all();
      driver.wait_until([] { return false; }, 1);
    }
  });
  EXPECT_EQ(error.failure(), SinkFailure::settings);
  EXPECT_THAT(error.what(), HasSubstr("had 6 partitions and now has 9"));
  for (const auto& one : read_topic(settings_.brokers, topic_, 9)) EXPECT_LT(one.partition, 6);

  const auto next = started();
  KafkaDriver next_driver(*next);
  next_driver.write(record(orders_, Routing::by_key, "k", "v"));
  EXPECT_TRUE(next_driver.wait_for_all());
}

TEST_F(KafkaLive, LosesNothingWhenTheBrokerIsKilledAndComesBack) {
  std::vector<bool> acknowledged(100'000);
  std::size_t first = 0;  // of this session; all before it is acknowledged
  bool restarted = false;
  // Any failure ends the session and a new one starts at what is confirmed, as the daemon does.
  for (int session = 0; first < acknowledged.size() && session < 30; ++session) {
    try {
      const auto sink = started();
      KafkaDriver driver(*sink);
      for (std::size_t i = first; i < acknowledged.size(); ++i) {
        driver.write(record(orders_, Routing::by_key, std::to_string(i % 50), std::to_string(i)));
        if (i == 30'000 && !restarted) {
          restarted = true;
          ask("restart");
        }
        if (i % 100 != 0) continue;
        driver.collect();
        driver.wait_until([&] { return driver.held < 1'000'000; }, 60);
      }
      ASSERT_TRUE(driver.wait_for_all(60)) << sink->stalled_because();
      first = acknowledged.size();
    } catch (const SinkError& error) {
      EXPECT_EQ(error.failure(), SinkFailure::unavailable) << error.what();
      std::cout << "session over: " << error.what() << std::endl;
    }
  }
  await_answer();
  // Nothing missing, and the first occurrences of each key in order.
  std::map<std::string, int> last_of_key;
  std::set<int> seen;
  for (const auto& one : read_topic(settings_.brokers, topic_, 6)) {
    const int number = std::stoi(one.value);
    if (!seen.insert(number).second) continue;
    const auto last = last_of_key.find(one.key);
    if (last != last_of_key.end()) {
      ASSERT_GT(number, last->second);
    }
    last_of_key[one.key] = number;
  }
  EXPECT_EQ(seen.size(), acknowledged.size());
}

TEST_F(KafkaLive, SaysThatItWaitsForABrokerThatHangs) {
  const auto sink = started();
  KafkaDriver driver(*sink);
  ask("kill");
  await_answer();
  driver.write(record(orders_, Routing::by_key, "k", "v"));
  EXPECT_TRUE(driver.wait_until([&] { return !sink->stalled_because().empty(); }, 35));
  EXPECT_THAT(sink->stalled_because(), HasSubstr("public.orders"));
  EXPECT_THAT(sink->stalled_because(), HasSubstr("Connection refused"));
  ask("start");
  await_answer();
  EXPECT_TRUE(driver.wait_for_all(30));
  EXPECT_EQ(sink->stalled_because(), "");
}

}  // namespace
}  // namespace pgcourier::sinks
