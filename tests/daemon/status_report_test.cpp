#include "cdc/daemon/status_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/sample_report.hpp"

namespace pgcourier::cdc::daemon {
namespace {

nlohmann::json parsed(const StatusReport& report) { return nlohmann::json::parse(to_json(report)); }

TEST(WallTime, IsPrintedInUtcWithMilliseconds) {
  EXPECT_EQ(to_iso8601(sample_time()), "2026-11-22T10:00:00.123Z");
  EXPECT_EQ(to_iso8601(WallTime{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(WallTime(std::chrono::milliseconds(-1))), "1969-12-31T23:59:59.999Z");
}

TEST(StatusReport, HasPositionsAsPostgresPrintsThem) {
  const auto json = parsed(sample_report());
  EXPECT_EQ(json["source"]["confirmed_lsn"], "1/1000");
  EXPECT_EQ(json["source"]["lag_bytes"], 0x1000);
  EXPECT_EQ(json["sinks"][0]["position"], "1/1000");
  EXPECT_EQ(json["state"], "streaming");
  EXPECT_EQ(json["since"], "2026-11-22T10:00:00.123Z");
  EXPECT_EQ(json["tables"][0]["events"],
            nlohmann::json({{"insert", 10}, {"update", 2}, {"delete", 1}}));
}

TEST(StatusReport, SaysNullForWhatIsUnknown) {
  const auto json = parsed(StatusReport{});
  for (const auto* key : {"confirmed_lsn", "server_lsn", "retained_wal_bytes", "lag_seconds",
                          "peer", "timeline", "last_message_age_seconds"}) {
    EXPECT_TRUE(json["source"].at(key).is_null()) << key;
  }
  EXPECT_EQ(json["source"]["lag_bytes"], 0);
  EXPECT_TRUE(json["last_error"].is_null());
  EXPECT_EQ(json["sinks"], nlohmann::json::array());
}

TEST(StatusReport, ClampsANegativeLagAndFlagsTheClock) {
  auto report = sample_report();
  report.source.lag_seconds = -3.0;
  const auto json = parsed(report);
  EXPECT_EQ(json["source"]["lag_seconds"], 0.0);
  EXPECT_EQ(json["source"]["server_clock_ahead"], true);
  EXPECT_EQ(parsed(sample_report())["source"]["server_clock_ahead"], false);
}

TEST(StatusReport, HasNoLagInBytesWhereTheServersEndIsBehind) {
  auto report = sample_report();
  report.source.server_lsn = {1};
  EXPECT_EQ(lag_bytes(report.source), 0u);
}

TEST(StatusReport, IsReadyOnlyWhenThereAreChecksAndAllHold) {
  auto report = sample_report();
  EXPECT_TRUE(ready(report));
  report.checks[1].ok = false;
  EXPECT_FALSE(ready(report));
  report.checks.clear();
  EXPECT_FALSE(ready(report));
}

TEST(StatusReport, SurvivesTextThatIsNotUtf8) {
  auto report = sample_report();
  report.last_error = LastError{sample_time(), "bad \xff byte", "22021"};
  EXPECT_EQ(parsed(report)["last_error"]["text"], "bad \xef\xbf\xbd byte");
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
