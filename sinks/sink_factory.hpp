// From the settings to the sinks they ask for.
#pragma once

#include <memory>
#include <vector>

#include "cdc/sink.hpp"
#include "config/settings.hpp"

namespace pgcourier::sinks {

// One sink for each entry of `sinks`, in their order, for one replication session. Opens nothing.
std::vector<std::unique_ptr<cdc::Sink>> make_sinks(const config::Settings& settings);

}  // namespace pgcourier::sinks
