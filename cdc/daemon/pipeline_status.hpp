// What the endpoints report, gathered from the session of the moment and the ones before it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cdc/daemon/http_answers.hpp"
#include "cdc/daemon/retry_policy.hpp"
#include "cdc/daemon/status_report.hpp"
#include "cdc/pipeline.hpp"
#include "config/settings.hpp"

namespace pgcourier::cdc::daemon {

// Lives as long as the program; sessions come and go. Io thread only.
class PipelineStatus : public StatusSource {
 public:
  explicit PipelineStatus(const config::Settings& settings);

  StatusReport report() const override;

  void enter(PipelineState state, std::string detail);
  PipelineState state() const { return state_; }
  void failed(const NextStep& step);
  void reconnecting() { ++reconnects_; }

  // What a session learns of the server; what is of its connection is cleared by detach().
  SourceStatus& source() { return source_; }
  void received(std::size_t bytes, std::chrono::steady_clock::time_point now);
  void server_at(protocol::Lsn lsn);

  // The live pipeline, which must outlive the attachment; detach() adds its totals up, and is also
  // for a session that never got so far.
  void attach(const Pipeline& pipeline);
  void detach();

  // What the server was told to keep no longer; how long ago it moved tells "stuck" from "moving".
  void confirmed(protocol::Lsn lsn, std::chrono::steady_clock::time_point now);

 private:
  struct Totals {
    std::uint64_t transactions = 0;
    std::map<std::string, SinkTotals, std::less<>> sinks;
    std::vector<TableStatus> tables;
  };

  void add_tables(std::vector<TableStatus>& tables) const;
  std::vector<SinkStatus> sink_statuses() const;
  std::vector<Check> checks(const StatusReport& report) const;

  std::string name_;
  struct KnownSink {
    std::string id;
    std::string kind;
    std::string policy;
  };
  std::vector<KnownSink> sinks_;  // as the settings have them
  std::uint64_t in_flight_limit_;
  PipelineState state_ = PipelineState::starting;
  std::string state_detail_;
  WallTime started_;
  WallTime since_;
  SourceStatus source_;
  std::optional<std::chrono::steady_clock::time_point> last_message_;
  std::optional<std::chrono::steady_clock::time_point> last_confirmed_;
  const Pipeline* pipeline_ = nullptr;
  Totals past_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t reconnects_ = 0;
  std::vector<ErrorCount> errors_;
  std::optional<LastError> last_error_;
};

}  // namespace pgcourier::cdc::daemon
