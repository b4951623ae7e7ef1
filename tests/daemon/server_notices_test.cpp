#include "cdc/daemon/server_notices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cdc/daemon/log.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

protocol::ServerFields notice(const std::string& severity, const std::string& message) {
  protocol::ServerFields fields;
  fields.severity = "übersetzt";
  fields.severity_unlocalized = severity;
  fields.sqlstate = "01000";
  fields.message = message;
  fields.detail = fields.where = fields.hint = "a row's value";
  return fields;
}

std::vector<nlohmann::json> logged(const std::vector<protocol::ServerFields>& notices,
                                   log::Level level = log::Level::info) {
  testing::internal::CaptureStderr();
  log::init(level, log::Format::json);
  log_notices(notices, "stream");
  std::istringstream output(testing::internal::GetCapturedStderr());
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(output, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(LogNotices, TellsSeveritySqlstateAndMessageAndNoMore) {
  const auto lines = logged({notice("WARNING", "collation version mismatch")});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["level"], "warn");
  EXPECT_EQ(lines[0]["connection"], "stream");
  EXPECT_EQ(lines[0]["severity"], "WARNING");
  EXPECT_EQ(lines[0]["sqlstate"], "01000");
  EXPECT_EQ(lines[0]["notice"], "collation version mismatch");
  EXPECT_THAT(lines[0].dump(), Not(HasSubstr("row's value")));
}

TEST(LogNotices, HasALevelForEachSeverity) {
  const auto lines =
      logged({notice("NOTICE", "a"), notice("INFO", "b"), notice("DEBUG2", "c"), notice("", "d")},
             log::Level::debug);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[1]["level"], "info");
  EXPECT_EQ(lines[2]["level"], "debug");
  EXPECT_EQ(lines[3]["severity"], "übersetzt");
}

TEST(MissingPublication, IsKnownInEachLanguage) {
  auto warning = notice("WARNING", "skipped loading publication \"shop\"");
  warning.sqlstate = "55000";
  EXPECT_TRUE(tells_of_missing_publication(warning, "shop"));
  warning.message = "Laden der Publikation »shop« übersprungen";
  EXPECT_TRUE(tells_of_missing_publication(warning, "shop"));
  EXPECT_FALSE(tells_of_missing_publication(warning, "other"));
  warning.severity_unlocalized = "NOTICE";
  EXPECT_FALSE(tells_of_missing_publication(warning, "shop"));
  EXPECT_FALSE(tells_of_missing_publication(notice("WARNING", "shop"), "shop"));
}

TEST(LogNotices, IsNotFlooded) {
  const auto lines = logged(std::vector(5'000, notice("WARNING", std::string(9'000, 'x'))));
  ASSERT_EQ(lines.size(), 21U);
  EXPECT_LT(lines[0]["notice"].get<std::string>().size(), 2'000U);
  EXPECT_EQ(lines[20]["more"], 4'980);
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
