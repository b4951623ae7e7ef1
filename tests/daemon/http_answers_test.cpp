#include "cdc/daemon/http_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/daemon/sample_report.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

class FixedReport : public StatusSource {
 public:
  explicit FixedReport(StatusReport report) : report_(std::move(report)) {}
  StatusReport report() const override { return report_; }

 private:
  StatusReport report_;
};

class BrokenSource : public StatusSource {
 public:
  StatusReport report() const override { throw std::runtime_error("broken"); }
};

TEST(HttpAnswers, LivezNeverAsksThePipeline) {
  const auto result = answer("/livez", BrokenSource());
  EXPECT_EQ(result.status, 200u);
  EXPECT_EQ(result.body, "ok\n");
}

TEST(HttpAnswers, ReadyzIs200WhileAllChecksHold) {
  const auto result = answer("/readyz", FixedReport(sample_report()));
  EXPECT_EQ(result.status, 200u);
  EXPECT_EQ(result.body, "ready\n");
}

TEST(HttpAnswers, ReadyzIs503WithTheReason) {
  auto report = sample_report();
  report.checks[1] = {"archive", false, "disk full"};
  const auto result = answer("/readyz", FixedReport(report));
  EXPECT_EQ(result.status, 503u);
  EXPECT_EQ(result.body, "not ready: archive: disk full\n");
}

TEST(HttpAnswers, ReadyzWithoutAnyCheckGivesTheState) {
  StatusReport report;
  report.state_detail = "reading the settings";
  const auto result = answer("/readyz", FixedReport(report));
  EXPECT_EQ(result.status, 503u);
  EXPECT_EQ(result.body, "not ready: starting: reading the settings\n");
}

TEST(HttpAnswers, ReadyzVerboseListsEachCheck) {
  auto report = sample_report();
  report.checks[1] = {"archive", false, "disk full"};
  for (const auto* target : {"/readyz?verbose", "/readyz?a=b&verbose=1"}) {
    EXPECT_EQ(answer(target, FixedReport(report)).body,
              "[+]source ok: streaming from db1:5432\n"
              "[-]archive failed: disk full\n"
              "not ready: archive: disk full\n");
  }
  EXPECT_THAT(answer("/readyz?verbosely", FixedReport(report)).body, Not(HasSubstr("[+]")));
}

TEST(HttpAnswers, MetricsAndStatusAreOfTheReport) {
  const FixedReport source(sample_report());
  EXPECT_THAT(answer("/metrics", source).body, HasSubstr("pgcourier_events_total"));
  EXPECT_EQ(answer("/metrics", source).content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(nlohmann::json::parse(answer("/api/v1/status", source).body)["name"], "shop");
  EXPECT_EQ(answer("/api/v1/status", source).content_type, "application/json");
}

TEST(HttpAnswers, ThePageLoadsNothingFromElsewhereAndNeverSetsHtml) {
  const BrokenSource source;
  const auto page = answer("/", source);
  EXPECT_EQ(page.status, 200u);
  EXPECT_THAT(page.body, HasSubstr("<!doctype html>"));
  for (const auto* path : {"/", "/status.js", "/status.css"}) {
    const auto file = answer(path, source);
    EXPECT_EQ(file.status, 200u) << path;
    EXPECT_THAT(file.body, Not(HasSubstr("://"))) << path;
    EXPECT_THAT(file.body, Not(HasSubstr("innerHTML"))) << path;
  }
}

TEST(HttpAnswers, AllElseIsNotFound) {
  for (const auto* target : {"", "/livez/", "/nothing", "//", "/../etc/passwd", "http://x/livez"}) {
    EXPECT_EQ(answer(target, BrokenSource()).status, 404u) << target;
  }
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
