// What the settings alone show, before anything is connected or opened.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace pgcourier::cdc::daemon {

// Throws SettingsError or SinkError for source.tables, source.url, http.listen and the properties
// of a Kafka sink. Files may be only where `run` is: password_file is not read, and a certificate
// or key that is missing is a warning.
void check_settings(const config::Settings& settings, std::vector<std::string>& warnings);

}  // namespace pgcourier::cdc::daemon
