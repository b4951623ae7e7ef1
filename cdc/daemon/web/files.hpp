// The files of this folder, compiled in. The page loads nothing from elsewhere.
#pragma once

#include <string_view>

namespace pgcourier::cdc::daemon::web {

extern const std::string_view index_html;
extern const std::string_view status_css;
extern const std::string_view status_js;

}  // namespace pgcourier::cdc::daemon::web
