// synchronous_standby_names, manual 20.6.2.
#pragma once

#include <string_view>

namespace pgcourier::cdc::daemon {

// Whether the setting, as it is written, makes commits wait for the standby `name`: by its name, in
// any case, or by `*`. The server has checked its grammar.
bool names_standby(std::string_view synchronous_standby_names, std::string_view name);

}  // namespace pgcourier::cdc::daemon
