#include "sinks/kafka_checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgcourier::sinks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Config = std::map<std::string, std::string>;

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
