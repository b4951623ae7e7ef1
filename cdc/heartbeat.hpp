// Messages of pgcourier's own, which move the slot and are no events.
#pragma once

#include <string_view>

namespace pgcourier::cdc {

// Of pg_logical_emit_message(); of whichever pipeline.
constexpr std::string_view heartbeat_prefix = "pgcourier.heartbeat";

}  // namespace pgcourier::cdc
