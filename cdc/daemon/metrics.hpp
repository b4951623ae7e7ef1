// The pipeline's metrics for Prometheus, as text. The pipeline keeps plain integers; all of this is
// made from a report at scrape time, so nothing is paid per event.
#pragma once

#include <cstddef>
#include <string>

#include "cdc/daemon/status_report.hpp"

namespace pgcourier::cdc::daemon {

// Tables after this many share the label value `other_tables`: the number of time series is bounded
// whatever is published.
inline constexpr std::size_t max_table_labels = 500;
inline constexpr const char* other_tables = "_other";

inline constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

// The exposition format 0.0.4. Each series has the label `pipeline`, the report's name.
std::string metrics_text(const StatusReport& report);

}  // namespace pgcourier::cdc::daemon
