// From the settings to the sinks they ask for.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "sinks/kafka_memory.hpp"

namespace pgcourier::sinks {

// What the sinks of one session learn for those of the next one, of the same run; by sink id.
struct SinkMemory {
  std::map<std::string, KafkaMemory> kafka;
};

// One sink for each entry of `sinks`, in their order, for one replication session. Opens nothing.
// `memory` outlives them.
std::vector<std::unique_ptr<cdc::Sink>> make_sinks(const config::Settings& settings,
                                                   SinkMemory& memory);

// BLOCKING, at most that long. Before the process ends, after the sinks: ends the line on standard
// output that a stdout sink began. False: its reader took nothing, it stays half.
bool end_stdout(std::chrono::milliseconds at_most);

}  // namespace pgcourier::sinks
