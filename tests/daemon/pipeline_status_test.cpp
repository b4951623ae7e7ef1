#include "cdc/daemon/pipeline_status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "protocol/pg_time.hpp"
#include "tests/cdc/pipeline_support.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using namespace std::chrono_literals;
using protocol::Lsn;
using testing::HasSubstr;
using testing::Not;

using Clock = std::chrono::steady_clock;

config::Settings shop_settings() {
  config::Settings settings;
  settings.name = "shop";
  settings.source.slot = "shop_slot";
  settings.source.publication = "shop_publication";
  settings.sinks = {config::KafkaSettings{}, config::FilesSettings{}, config::StdoutSettings{},
                    config::NullSettings{.id = "measure"}};
  settings.limits.in_flight_bytes = 1000;
  return settings;
}

class CountingSink : public test::FakeSink {
 public:
  using FakeSink::FakeSink;
  SinkTotals totals() const override { return counted; }
  std::string stalled_because() const override { return stalled; }

  SinkTotals counted;
  std::string stalled;
};

// What a session attaches: a pipeline into two of the four sinks. Table 1 is public.t.
struct Streaming {
  explicit Streaming(PipelineStatus& to) : status(to) {
    status.attach(pipeline);
    status.enter(PipelineState::streaming, "streaming");
    take(test::relation(1, "public", "t", 'd', {{"id", 23, true}}));
    pipeline.describe({});
  }
  ~Streaming() { status.detach(); }
  Streaming(const Streaming&) = delete;
  Streaming& operator=(const Streaming&) = delete;

  void take(const std::string& payload) { pipeline.consume(test::xlog_data(payload)); }
  void transaction(Lsn end_lsn, int inserts, std::int64_t commit_time = 0) {
    take(test::begin({end_lsn.value - 1}, commit_time));
    for (int i = 0; i < inserts; ++i) take(test::insert(1, {test::text("1")}));
    take(test::commit({end_lsn.value - 1}, end_lsn, commit_time));
  }
  void deliver() {
    kafka.deliver_all();
    files.deliver_all();
    pipeline.collect();
    pipeline.advance_bookmarks({}, true);
    pipeline.collect();
  }

  PipelineStatus& status;
  CountingSink kafka{"kafka"};
  CountingSink files{"files"};
  test::FakeEncoder encoder;
  test::MemorySpills spills;
  Pipeline pipeline{{{&kafka, {}}, {&files, {}}},
                    encoder,
                    spills,
                    Pipeline::Settings{.filter = TableFilter({}),
                                       .in_flight_bytes = 1000,
                                       .transaction_memory_bytes = 1000,
                                       .until = std::nullopt,
                                       .stream = {}}};
};

std::int64_t pg_time_ago(std::chrono::microseconds age) {
  const auto unix_now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return protocol::from_unix_microseconds((unix_now - age).count()).microseconds;
}

nlohmann::json json_of(const PipelineStatus& status) {
  return nlohmann::json::parse(answer("/api/v1/status", status).body);
}

TEST(PipelineStatus, IsReadyWhileStreamingOrWaitingAsAStandby) {
  PipelineStatus status(shop_settings());
  for (std::size_t i = 0; i < pipeline_state_count; ++i) {
    const auto state = PipelineState(i);
    const std::string name(name_of(state));
    const bool ready =
        state == PipelineState::streaming || state == PipelineState::waiting_for_slot;
    status.enter(state, "as told");
    EXPECT_EQ(status.state(), state);

    const auto readyz = answer("/readyz", status);
    EXPECT_EQ(readyz.status, ready ? 200u : 503u) << name;
    EXPECT_EQ(readyz.body, ready ? "ready\n" : "not ready: source: as told\n");
    EXPECT_EQ(json_of(status)["state"], name);
    EXPECT_EQ(json_of(status)["state_detail"], "as told");
    EXPECT_EQ(json_of(status)["ready"], ready);
    const auto metrics = answer("/metrics", status).body;
    EXPECT_THAT(metrics, HasSubstr("state{pipeline=\"shop\",state=\"" + name + "\"} 1\n"));
    EXPECT_THAT(metrics, HasSubstr(std::string("ready{pipeline=\"shop\"} ") + (ready ? "1" : "0")));
  }
}

TEST(PipelineStatus, StartsUnreadyWithWhatTheSettingsSay) {
  const PipelineStatus status(shop_settings());
  EXPECT_EQ(answer("/readyz", status).status, 503u);
  const auto report = status.report();
  EXPECT_EQ(report.state, PipelineState::starting);
  EXPECT_EQ(report.name, "shop");
  EXPECT_EQ(report.source.slot, "shop_slot");
  EXPECT_EQ(report.source.publication, "shop_publication");
  EXPECT_EQ(report.in_flight_limit, 1000u);
  std::vector<std::string> sinks;
  for (const auto& sink : report.sinks) sinks.push_back(sink.id + " " + sink.kind);
  EXPECT_THAT(sinks,
              testing::ElementsAre("kafka kafka", "files files", "stdout stdout", "measure null"));
}

TEST(PipelineStatus, AddsUpWhatWasUndeliverableOverTheSessions) {
  auto settings = shop_settings();
  std::get<config::KafkaSettings>(settings.sinks[0]).undeliverable = config::Undeliverable::skip;
  PipelineStatus status(settings);
  for (const std::uint64_t count : {2, 3}) {
    Streaming session(status);
    session.kafka.counted.undeliverable = count;
  }
  const auto kafka = json_of(status)["sinks"][0]["undeliverable"];
  EXPECT_EQ(kafka["policy"], "skip");
  EXPECT_EQ(kafka["records"], 5);
  EXPECT_EQ(json_of(status)["sinks"][1]["undeliverable"]["policy"], "stop");
}

TEST(PipelineStatus, CountsAStateFromItsFirstEntry) {
  PipelineStatus status(shop_settings());
  status.enter(PipelineState::waiting_for_slot, "in use by process 7");
  const auto since = status.report().since;
  status.enter(PipelineState::waiting_for_slot, "in use by process 8");
  EXPECT_EQ(status.report().since, since);
  EXPECT_EQ(status.report().state_detail, "in use by process 8");
  EXPECT_GE(since, status.report().started);
}

TEST(PipelineStatus, CountsErrorsByKindAndSqlstateAndKeepsTheLast) {
  PipelineStatus status(shop_settings());
  EXPECT_FALSE(status.report().last_error);
  const NextStep restart{.kind = "server", .sqlstate = "57P01", .what = "administrator command"};
  const NextStep starting{.kind = "server", .sqlstate = "57P03", .what = "starting up"};
  const NextStep lost{.kind = "network", .what = "connection refused"};
  for (const auto* step : {&restart, &lost, &starting, &starting, &lost}) status.failed(*step);

  std::vector<std::string> errors;
  for (const auto& error : status.report().errors) {
    errors.push_back(error.kind + " " + error.sqlstate + " " + std::to_string(error.count));
  }
  EXPECT_THAT(errors, testing::ElementsAre("server 57P01 1", "network  2", "server 57P03 2"));
  EXPECT_EQ(status.report().last_error->text, "connection refused");
  EXPECT_EQ(status.report().last_error->sqlstate, "");
  EXPECT_THAT(answer("/metrics", status).body,
              HasSubstr(R"(errors_total{pipeline="shop",kind="server",sqlstate_class="57"} 3)"));
}

TEST(PipelineStatus, CountsSessionsAfterTheFirst) {
  PipelineStatus status(shop_settings());
  EXPECT_EQ(json_of(status)["reconnects"], 0);
  status.reconnecting();
  status.reconnecting();
  EXPECT_EQ(json_of(status)["reconnects"], 2);
  EXPECT_THAT(answer("/metrics", status).body,
              HasSubstr("pgcourier_reconnects_total{pipeline=\"shop\"} 2\n"));
}

TEST(PipelineStatus, IsNotReadyWhileASinkStalls) {
  PipelineStatus status(shop_settings());
  Streaming session(status);
  EXPECT_EQ(answer("/readyz", status).status, 200u);

  session.files.stalled = "No space left on device";
  const auto readyz = answer("/readyz?verbose", status);
  EXPECT_EQ(readyz.status, 503u);
  EXPECT_EQ(readyz.body,
            "[+]source ok: streaming\n"
            "[+]sink_kafka ok: takes events\n"
            "[-]sink_files failed: No space left on device\n"
            "[+]sink_stdout ok: takes events\n"
            "[+]sink_measure ok: takes events\n"
            "not ready: sink_files: No space left on device\n");
  EXPECT_EQ(json_of(status)["sinks"][1]["stalled_because"], "No space left on device");
  EXPECT_THAT(answer("/metrics", status).body,
              HasSubstr(R"(sink_stalled{pipeline="shop",sink="files",kind="files"} 1)"));

  session.files.stalled.clear();
  EXPECT_EQ(answer("/readyz", status).status, 200u);
}

TEST(PipelineStatus, DoesNotSayThatASinkTakesEventsBetweenSessions) {
  PipelineStatus status(shop_settings());
  { const Streaming session(status); }
  status.enter(PipelineState::waiting_to_retry, "sink kafka: no broker answers");
  const auto body = answer("/readyz?verbose", status).body;
  EXPECT_THAT(body, HasSubstr("[-]source failed: sink kafka: no broker answers\n"));
  EXPECT_THAT(body, HasSubstr("[+]sink_kafka ok: not in use\n"));
}

TEST(PipelineStatus, AddsSessionsUp) {
  PipelineStatus status(shop_settings());
  for (int i = 1; i <= 2; ++i) {
    Streaming session(status);
    session.transaction({0x100}, 2);
    session.take(test::logical_message({0x200}, false));
    session.kafka.counted = {.events = 3, .bytes = 30};
    session.files.counted = {.events = 1, .bytes = 11};
    status.received(100, Clock::now());
    EXPECT_EQ(status.report().transactions, static_cast<std::uint64_t>(i));
  }
  const auto report = status.report();
  EXPECT_EQ(report.transactions, 2u);
  EXPECT_EQ(report.received_bytes, 200u);
  EXPECT_EQ(report.sinks[0].events, 6u);
  EXPECT_EQ(report.sinks[0].bytes, 60u);
  EXPECT_EQ(report.sinks[1].events, 2u);
  EXPECT_EQ(report.sinks[3].events, 0u);
  ASSERT_EQ(report.tables.size(), 2u);
  EXPECT_EQ(report.tables[0].table, "public.t");
  EXPECT_EQ(report.tables[0].events[static_cast<std::size_t>(Operation::insert)], 4u);
  EXPECT_EQ(report.tables[1].table, "");
  EXPECT_EQ(report.tables[1].events[static_cast<std::size_t>(Operation::message)], 2u);
}

TEST(PipelineStatus, TellsPositionsAndBytesOfTheLiveSessionOnly) {
  PipelineStatus status(shop_settings());
  {
    Streaming session(status);
    session.transaction({0x100}, 3);
    session.deliver();
    EXPECT_EQ(status.report().in_flight_bytes, 0u);
    session.transaction({0x200}, 1);
    const auto report = status.report();
    EXPECT_EQ(report.source.received_lsn, Lsn{0x200});
    EXPECT_GE(report.sinks[0].in_flight_bytes, session.kafka.event_bytes);
    EXPECT_EQ(report.in_flight_bytes,
              report.sinks[0].in_flight_bytes + report.sinks[1].in_flight_bytes);
    EXPECT_EQ(report.sinks[0].position, Lsn{0x100});
    EXPECT_EQ(report.sinks[0].delivered, Lsn{0x100});
  }
  const auto report = status.report();
  EXPECT_EQ(report.in_flight_bytes, 0u);
  EXPECT_EQ(report.sinks[0].in_flight_bytes, 0u);
  EXPECT_EQ(report.source.received_lsn, Lsn{});
}

TEST(PipelineStatus, ForgetsTheConnectionWithItsSessionHoweverFarThatCame) {
  for (const bool streamed : {true, false}) {
    PipelineStatus status(shop_settings());
    status.source().peer = "db1:5432";
    status.source().server_version = "15.8";
    status.source().retained_wal_bytes = 4096;
    status.server_at({0x200});
    status.confirmed({0x100}, Clock::now());
    if (streamed) {
      const Streaming session(status);
      EXPECT_EQ(status.report().source.peer, "db1:5432");
    } else {
      status.detach();
    }
    const auto source = status.report().source;
    EXPECT_EQ(source.peer, "") << streamed;
    EXPECT_EQ(source.retained_wal_bytes, std::nullopt);
    EXPECT_EQ(source.server_lsn, Lsn{});
    EXPECT_EQ(source.confirmed_lsn, Lsn{0x100});
    EXPECT_EQ(lag_bytes(source), 0u);
    EXPECT_EQ(source.lag_seconds, std::nullopt);
  }
}

TEST(PipelineStatus, MeasuresTheLagFromTheOldestUnconfirmedCommit) {
  PipelineStatus status(shop_settings());
  Streaming session(status);
  EXPECT_EQ(status.report().source.lag_seconds, 0.0);
  session.transaction({0x100}, 1, pg_time_ago(90s));
  session.transaction({0x200}, 1, pg_time_ago(30s));
  EXPECT_GE(*status.report().source.lag_seconds, 90.0);
  EXPECT_LT(*status.report().source.lag_seconds, 150.0);
  session.deliver();
  EXPECT_EQ(status.report().source.lag_seconds, 0.0);
}

TEST(PipelineStatus, NeverReportsALagBelowZero) {
  PipelineStatus status(shop_settings());
  Streaming session(status);
  session.transaction({0x100}, 1, pg_time_ago(-1h));  // the server's clock is ahead
  EXPECT_LT(*status.report().source.lag_seconds, 0.0);
  EXPECT_EQ(json_of(status)["source"]["lag_seconds"], 0.0);
  EXPECT_EQ(json_of(status)["source"]["server_clock_ahead"], true);
  EXPECT_THAT(answer("/metrics", status).body,
              HasSubstr("pgcourier_lag_seconds{pipeline=\"shop\"} 0\n"));

  status.confirmed({0x100}, Clock::now());
  status.server_at({0x80});  // an idle server may tell less than what we confirmed
  EXPECT_EQ(json_of(status)["source"]["lag_bytes"], 0);
}

TEST(PipelineStatus, SurvivesACommitTimeOfAnyValue) {
  for (const auto time :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    PipelineStatus status(shop_settings());
    Streaming session(status);
    session.transaction({0x100}, 1, time);
    EXPECT_GE(json_of(status)["source"]["lag_seconds"], 0.0) << time;
  }
}

TEST(PipelineStatus, TellsTheServersEndAsTheHighestItHeard) {
  PipelineStatus status(shop_settings());
  status.server_at({0x300});
  status.server_at({0x200});
  status.confirmed({0x100}, Clock::now());
  EXPECT_EQ(status.report().source.server_lsn, Lsn{0x300});
  EXPECT_EQ(lag_bytes(status.report().source), 0x200u);
}

TEST(PipelineStatus, KnowsNoAgeOfWhatHasNotHappened) {
  PipelineStatus status(shop_settings());
  Streaming session(status);
  EXPECT_EQ(status.report().source.last_message_age_seconds, std::nullopt);
  EXPECT_EQ(status.report().source.last_confirmed_age_seconds, std::nullopt);
  EXPECT_THAT(answer("/metrics", status).body, Not(HasSubstr("age_seconds")));
}

TEST(PipelineStatus, CountsAgesFromTheLastMessageAndTheLastMove) {
  PipelineStatus status(shop_settings());
  Streaming session(status);
  const auto now = Clock::now();
  status.received(10, now - 20s);
  status.confirmed({0x100}, now - 50s);
  status.confirmed({0x100}, now);  // told again: no move
  const auto source = status.report().source;
  EXPECT_GE(*source.last_message_age_seconds, 20.0);
  EXPECT_LT(*source.last_message_age_seconds, 50.0);
  EXPECT_GE(*source.last_confirmed_age_seconds, 50.0);
  status.confirmed({0x200}, now);
  EXPECT_LT(*status.report().source.last_confirmed_age_seconds, 50.0);
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
