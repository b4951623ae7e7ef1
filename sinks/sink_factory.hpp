// From the settings to the sinks they ask for.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"

namespace pgcourier::sinks {

// One sink for each entry of `sinks`, in their order, for one replication session. Opens nothing.
std::vector<std::unique_ptr<cdc::Sink>> make_sinks(const config::Settings& settings);

// BLOCKING, at most that long. Before the process ends, after the sinks: ends the line on standard
// output that a stdout sink began. False: its reader took nothing, it stays half.
bool end_stdout(std::chrono::milliseconds at_most);

}  // namespace pgcourier::sinks
