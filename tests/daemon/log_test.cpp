#include "cdc/daemon/log.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/sample_report.hpp"

namespace pgcourier::cdc::daemon::log {
namespace {

using namespace std::string_literals;

TEST(Log, WritesJsonWithTheFieldsInOrder) {
  EXPECT_EQ(json_line(sample_time(), Level::info, "slot created",
                      {{"slot", "shop"}, {"port", 5432}, {"ratio", 0.5}, {"ok", true}}),
            R"({"ts":"2026-11-22T10:00:00.123Z","level":"info","msg":"slot created",)"
            R"("slot":"shop","port":5432,"ratio":0.5,"ok":true})");
}

TEST(Log, KeepsTheWholeRangeOfIntegers) {
  EXPECT_NE(json_line(sample_time(), Level::info, "m", {{"n", UINT64_MAX}})
                .find(R"("n":18446744073709551615)"),
            std::string::npos);
  EXPECT_NE(
      text_line(sample_time(), Level::info, "m", {{"n", INT64_MIN}}).find("n=-9223372036854775808"),
      std::string::npos);
}

TEST(Log, EscapesWhatJsonCantHold) {
  const auto line = json_line(sample_time(), Level::error, "a \"quoted\"\nmessage",
                              {{"value", std::string_view("tab\t nul\0 \xff end", 15)}});
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["msg"], "a \"quoted\"\nmessage");
  EXPECT_EQ(parsed["value"], "tab\t nul\0 \xef\xbf\xbd end"s);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Log, WritesTextWithValuesQuotedOnlyWhereNeeded) {
  EXPECT_EQ(text_line(sample_time(), Level::warn, "sink stalled",
                      {{"sink", "kafka"},
                       {"because", "no \"broker\""},
                       {"empty", ""},
                       {"n", std::uint64_t{7}}}),
            R"(2026-11-22T10:00:00.123Z warn  sink stalled sink=kafka because="no \"broker\"")"
            R"( empty="" n=7)");
}

TEST(Log, KeepsATextEntryOnOneLine) {
  const auto line = text_line(sample_time(), Level::info, "two\nlines", {{"v", "a\r\nb"}});
  EXPECT_EQ(line, R"(2026-11-22T10:00:00.123Z info  two lines v="a\r\nb")");
}

TEST(Log, LeavesOutWhatIsBelowTheLevelAndFollowsAChange) {
  testing::internal::CaptureStderr();
  init(Level::warn, Format::json);
  info("not shown");
  warn("shown");
  set_level(Level::debug);
  debug("shown now");
  set_level(Level::info);
  const auto output = testing::internal::GetCapturedStderr();
  EXPECT_EQ(output.find("not shown"), std::string::npos);
  EXPECT_NE(output.find(R"("level":"warn","msg":"shown"})"), std::string::npos);
  EXPECT_NE(output.find(R"("level":"debug","msg":"shown now"})"), std::string::npos);
}

TEST(Log, TakesAutoAsJsonWhereStderrIsNoTerminal) {
  testing::internal::CaptureStderr();
  init(Level::info, Format::auto_);
  info("hello", {{"who", "world"}});
  const auto output = testing::internal::GetCapturedStderr();
  EXPECT_EQ(nlohmann::json::parse(output)["who"], "world");
}

}  // namespace
}  // namespace pgcourier::cdc::daemon::log
