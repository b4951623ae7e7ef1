#include "sinks/kafka_checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "sinks/kafka_client.hpp"

namespace pgcourier::sinks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Config = std::map<std::string, std::string>;

// config/ refuses them under the names it knows; librdkafka may know others.
TEST(KafkaClient, StandsOnItsGuaranteesWhateverTheUserSets) {
  config::KafkaSettings settings;
  settings.brokers = "127.0.0.1:1";
  settings.properties = {{"enable.idempotence", "false"},
                         {"acks", "1"},
                         {"message.timeout.ms", "1000"},
                         {"isolation.level", "read_uncommitted"}};
  const auto value = [&](rd_kafka_type_t type, const char* key) {
    const auto conf = make_kafka_conf(type, settings, "test");
    std::array<char, 64> text{};
    std::size_t size = text.size();
    rd_kafka_conf_get(conf.get(), key, text.data(), &size);
    return std::string(text.data());
  };
  EXPECT_EQ(value(RD_KAFKA_PRODUCER, "enable.idempotence"), "true");
  EXPECT_EQ(value(RD_KAFKA_PRODUCER, "request.required.acks"), "-1");
  EXPECT_EQ(value(RD_KAFKA_PRODUCER, "message.timeout.ms"), "0");
  EXPECT_EQ(value(RD_KAFKA_CONSUMER, "isolation.level"), "read_committed");
}

std::vector<std::string> warnings_of(const Config& config) {
  std::vector<std::string> texts;
  for (const auto& finding : retention_findings("shop.public.orders", config)) {
    EXPECT_EQ(finding.severity, KafkaFinding::Severity::warning);
    EXPECT_NE(finding.remedy, "");
    texts.push_back(finding.what);
  }
  return texts;
}

TEST(RetentionFindings, AcceptAnHourAndMore) {
  for (const auto* ms : {"-1", "3600000", "604800000", "9223372036854775807"}) {
    EXPECT_THAT(warnings_of({{"cleanup.policy", "delete"}, {"retention.ms", ms}}), IsEmpty()) << ms;
  }
  EXPECT_THAT(warnings_of({}), IsEmpty());  // the cluster does not tell
}

TEST(RetentionFindings, WarnOfLessThanAnHour) {
  for (const auto* ms : {"0", "3599999"}) {
    EXPECT_THAT(warnings_of({{"cleanup.policy", "delete"}, {"retention.ms", ms}}),
                ElementsAre(HasSubstr("shop.public.orders has retention.ms=" + std::string(ms))));
  }
}

TEST(RetentionFindings, WarnOfCompaction) {
  EXPECT_THAT(warnings_of({{"cleanup.policy", "compact"}, {"retention.ms", "1000"}}),
              ElementsAre(HasSubstr("cleanup.policy=compact: ")));
  EXPECT_THAT(warnings_of({{"cleanup.policy", "compact,delete"}, {"retention.ms", "1000"}}),
              ElementsAre(HasSubstr("retention.ms=1000"), HasSubstr("without key")));
}

}  // namespace
}  // namespace pgcourier::sinks
