#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cdc/daemon/checks/finding.hpp"
#include "cdc/daemon/checks/report.hpp"
#include "cdc/sink.hpp"
#include "protocol/server_error.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {
namespace {

Findings sample_findings() {
  Findings findings;
  findings.ok("wal_level", "logical");
  findings.error("slot", 66, "the slot is lost", "create it anew");
  findings.warning("replica_identity", "public.notes has none", "give it a primary key");
  findings.ok("http_listen", "off");
  findings.error("publication", 78, "shop does not exist: CREATE PUBLICATION shop", {});
  return findings;
}

TEST(Findings, EndAsTheFirstErrorWould) {
  const auto findings = sample_findings();
  ASSERT_TRUE(findings.first_error());
  EXPECT_EQ(findings.first_error()->name, "slot");
  EXPECT_EQ(findings.exit_code(), 66);
}

TEST(Findings, EndWithZeroWhereNothingWouldStopRun) {
  Findings findings;
  EXPECT_EQ(findings.first_error(), nullptr);
  EXPECT_EQ(findings.exit_code(), 0);
  findings.ok("wal_level", "logical");
  findings.warning("replica_identity", "public.notes has none", "give it a primary key");
  EXPECT_EQ(findings.first_error(), nullptr);
  EXPECT_EQ(findings.exit_code(), 0);
}

TEST(Findings, JudgeAFailureAsRunWould) {
  protocol::ServerFields missing;
  missing.sqlstate = "42704";
  missing.message = "publication \"shop\" does not exist";
  struct Case {
    std::exception_ptr failure;
    bool bookmark_exists;
    int exit_code;
  };
  const Case cases[] = {
      {std::make_exception_ptr(protocol::ServerError(missing)), false, 78},
      {std::make_exception_ptr(protocol::ServerError(missing)), true, 66},
      {std::make_exception_ptr(replication::ConnectionError("db1: refused")), false, 69},
      {std::make_exception_ptr(SinkError(SinkFailure::not_permitted, "no")), false, 77},
  };
  for (const auto& expected : cases) {
    Findings findings;
    findings.failure("connection", expected.failure, expected.bookmark_exists);
    ASSERT_TRUE(findings.first_error());
    EXPECT_EQ(findings.first_error()->name, "connection");
    EXPECT_EQ(findings.exit_code(), expected.exit_code);
    EXPECT_NE(findings.first_error()->what, "");
  }
}

TEST(FindingsText, IsAlignedWithErrorsLastAndTheirExitCodes) {
  EXPECT_EQ(findings_text(sample_findings()),
            "ok       wal_level         logical\n"
            "ok       http_listen       off\n"
            "warning  replica_identity  public.notes has none: give it a primary key\n"
            "error    slot              the slot is lost: create it anew [exit 66]\n"
            "error    publication       shop does not exist: CREATE PUBLICATION shop [exit 78]\n");
  EXPECT_EQ(findings_text(Findings()), "");
}

TEST(FindingsText, GivesEachFindingOneLine) {
  Findings findings;
  findings.warning("tables", "a server\r\nmay say\nmore", "ALTER TABLE \"a\nb\"");
  EXPECT_EQ(findings_text(findings),
            "warning  tables  a server  may say more: ALTER TABLE \"a b\"\n");
}

TEST(FindingsJson, KeepsTheOrderOfTheChecks) {
  const auto json = nlohmann::json::parse(findings_json(sample_findings()));
  EXPECT_EQ(json["exit_code"], 66);
  ASSERT_EQ(json["findings"].size(), 5u);
  EXPECT_EQ(json["findings"][0], nlohmann::json({{"name", "wal_level"},
                                                 {"severity", "ok"},
                                                 {"what", "logical"},
                                                 {"remedy", ""},
                                                 {"exit_code", 0}}));
  EXPECT_EQ(json["findings"][1], nlohmann::json({{"name", "slot"},
                                                 {"severity", "error"},
                                                 {"what", "the slot is lost"},
                                                 {"remedy", "create it anew"},
                                                 {"exit_code", 66}}));
  EXPECT_EQ(json["findings"][2]["severity"], "warning");
  EXPECT_EQ(json["findings"][2]["exit_code"], 0);
}

TEST(FindingsJson, OfNothingIsAnEmptyListAndZero) {
  const auto text = findings_json(Findings());
  EXPECT_EQ(nlohmann::json::parse(text),
            nlohmann::json({{"findings", nlohmann::json::array()}, {"exit_code", 0}}));
  EXPECT_EQ(text.back(), '\n');
}

TEST(FindingsJson, SurvivesTextThatIsNotUtf8AndKeepsLineEnds) {
  Findings findings;
  findings.error("connection", 77, "bad \xff byte\nand \"quotes\"", {});
  const auto json = nlohmann::json::parse(findings_json(findings));
  EXPECT_EQ(json["findings"][0]["what"], "bad \xef\xbf\xbd byte\nand \"quotes\"");
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
