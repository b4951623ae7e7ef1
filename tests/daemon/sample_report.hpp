// A report of a pipeline that streams, as tests of this folder alter it.
#pragma once

#include "cdc/daemon/status_report.hpp"

namespace pgcourier::cdc::daemon {

// 2026-11-22T10:00:00.123Z
inline WallTime sample_time() { return WallTime(std::chrono::milliseconds(1'795'341'600'123)); }

inline StatusReport sample_report() {
  StatusReport report;
  report.name = "shop";
  report.version = "0.1.0";
  report.state = PipelineState::streaming;
  report.state_detail = "all is well";
  report.since = report.started = sample_time();
  report.source.peer = "db1:5432";
  report.source.database = "shop";
  report.source.slot = "shop_slot";
  report.source.publication = "shop_publication";
  report.source.server_version = "15.8";
  report.source.system_identifier = "7300000000000000001";
  report.source.timeline = 2;
  report.source.confirmed_lsn = {0x1'0000'1000};
  report.source.received_lsn = {0x1'0000'1800};
  report.source.server_lsn = {0x1'0000'2000};
  report.source.retained_wal_bytes = 16777216;
  report.source.lag_seconds = 1.5;
  report.sinks = {{"archive", "files", {0x1'0000'1000}, {0x1'0000'0F00}, 512, 42, 4200, ""}};
  report.tables = {{"public.orders", {10, 2, 1, 0, 0}}};
  report.in_flight_bytes = 512;
  report.in_flight_limit = 16777216;
  report.errors = {{"server", "57P01", 2}, {"server", "57P03", 1}, {"network", "", 1}};
  report.checks = {{"source", true, "streaming from db1:5432"}, {"archive", true, "writable"}};
  return report;
}

}  // namespace pgcourier::cdc::daemon
