#include "cdc/daemon/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/daemon/sample_report.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, CountsEventsByTableAndOperation) {
  const auto text = metrics_text(sample_report());
  EXPECT_THAT(text, HasSubstr("# TYPE pgcourier_events_total counter\n"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(pgcourier_events_total{pipeline="shop",table="public.orders",op="insert"} 10)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(pgcourier_events_total{pipeline="shop",table="public.orders",op="delete"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("op=\"truncate\"")));
}

TEST(Metrics, TellsLagRetainedWalAndInFlightBytes) {
  const auto text = metrics_text(sample_report());
  EXPECT_THAT(text, HasSubstr("pgcourier_lag_bytes{pipeline=\"shop\"} 4096\n"));
  EXPECT_THAT(text, HasSubstr("pgcourier_lag_seconds{pipeline=\"shop\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("pgcourier_retained_wal_bytes{pipeline=\"shop\"} 16777216\n"));
  EXPECT_THAT(text, HasSubstr("pgcourier_in_flight_bytes{pipeline=\"shop\"} 512\n"));
  EXPECT_THAT(text, HasSubstr("pgcourier_ready{pipeline=\"shop\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(R"(pgcourier_state{pipeline="shop",state="streaming"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(pgcourier_state{pipeline="shop",state="stopping"} 0)"));
}

TEST(Metrics, ClampsANegativeLag) {
  auto report = sample_report();
  report.source.lag_seconds = -2.5;
  EXPECT_THAT(metrics_text(report), HasSubstr("pgcourier_lag_seconds{pipeline=\"shop\"} 0\n"));
}

TEST(Metrics, LeavesOutWhatIsUnknown) {
  auto report = sample_report();
  report.source.lag_seconds.reset();
  report.source.retained_wal_bytes.reset();
  const auto text = metrics_text(report);
  EXPECT_THAT(text, Not(HasSubstr("pgcourier_lag_seconds")));
  EXPECT_THAT(text, Not(HasSubstr("pgcourier_retained_wal_bytes")));
}

TEST(Metrics, CountsErrorsBySqlstateClass) {
  const auto text = metrics_text(sample_report());
  EXPECT_THAT(
      text,
      HasSubstr(R"(pgcourier_errors_total{pipeline="shop",kind="server",sqlstate_class="57"} 3)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(pgcourier_errors_total{pipeline="shop",kind="network",sqlstate_class=""} 1)"));
}

TEST(Metrics, CountsWhatEachSinkCouldNeverTakeByItsPolicy) {
  auto report = sample_report();
  report.sinks[0].undeliverable_policy = "dead_letter";
  report.sinks[0].undeliverable = 3;
  EXPECT_THAT(metrics_text(report),
              HasSubstr(R"(pgcourier_sink_undeliverable_records_total{pipeline="shop",)"
                        R"(sink="archive",kind="files",policy="dead_letter"} 3)"));
}

TEST(Metrics, TellsWhetherTheServerWaitsForItsStandbys) {
  auto report = sample_report();
  report.source.waits_for_standby = true;
  EXPECT_THAT(metrics_text(report),
              HasSubstr("pgcourier_waits_for_standby{pipeline=\"shop\"} 1\n"));
}

TEST(Metrics, TellsWhichSinkStalls) {
  auto report = sample_report();
  report.sinks[0].stalled_because = "disk full";
  const auto text = metrics_text(report);
  EXPECT_THAT(
      text, HasSubstr(R"(pgcourier_sink_stalled{pipeline="shop",sink="archive",kind="files"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("disk full")));
}

TEST(Metrics, BoundsTheNumberOfSeriesAndLosesNoCount) {
  auto report = sample_report();
  report.tables.clear();
  for (std::size_t i = 0; i < max_table_labels + 20; ++i) {
    report.tables.push_back({"public.t" + std::to_string(i), {1, 0, 0, 0, 0}});
  }
  const auto text = metrics_text(report);
  EXPECT_THAT(text, HasSubstr(R"(table="public.t499",op="insert"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("public.t500")));
  EXPECT_THAT(text, HasSubstr(R"(table="_other",op="insert"} 20)"));
}

TEST(Metrics, EscapesLabelValues) {
  auto report = sample_report();
  report.tables[0].table = "public.a\"b\\c\nd";
  EXPECT_THAT(metrics_text(report), HasSubstr(R"(table="public.a\"b\\c\nd")"));
}

// Each line is a comment or a sample with our prefix and the label `pipeline`.
TEST(Metrics, AreInTheExpositionFormat) {
  const auto sample = testing::MatchesRegex(
      R"re(pgcourier_[a-z_]+\{pipeline="shop"(,[a-z_]+="([^"\\]|\\.)*")*\} [-+0-9.e]+)re");
  const auto comment = testing::MatchesRegex("# (HELP|TYPE) pgcourier_[a-z_]+ .+");
  std::istringstream lines(metrics_text(sample_report()));
  std::string line;
  std::size_t samples = 0;
  while (std::getline(lines, line)) {
    EXPECT_THAT(line, testing::AnyOf(sample, comment));
    samples += line.starts_with("pgcourier_") ? 1 : 0;
  }
  EXPECT_GT(samples, 25u);
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
