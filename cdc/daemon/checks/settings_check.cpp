#include "cdc/daemon/checks/settings_check.hpp"

#include <optional>
#include <variant>

#include "cdc/daemon/http_server.hpp"
#include "cdc/table_filter.hpp"
#include "config/connection_string.hpp"
#include "sinks/kafka_checks.hpp"

namespace pgcourier::cdc::daemon {

namespace {

void check_connection(const config::Source& source, std::vector<std::string>& warnings) {
  const auto keywords = config::parse_connection_string(source.url);
  // The file may be only where `run` is; with one, .pgpass does not matter.
  std::optional<std::string> password;
  if (source.password_file) password = "in the file";
  auto surroundings = config::process_surroundings();
  try {
    config::resolve_connection(keywords, password, surroundings, warnings);
  } catch (const config::SettingsError& error) {
    surroundings.files_are_here = false;
    config::resolve_connection(keywords, password, surroundings, warnings);
    warnings.push_back(error.what());  // of a file, else it would have been thrown again
  }
}

}  // namespace

void check_settings(const config::Settings& settings, std::vector<std::string>& warnings) {
  const TableFilter filter(settings.source.tables);
  check_connection(settings.source, warnings);
  for (const auto& sink : settings.sinks) {
    if (const auto* kafka = std::get_if<config::KafkaSettings>(&sink)) {
      sinks::check_kafka_properties(*kafka, settings.name);
    }
  }
  if (!settings.http_listen.empty()) parse_listen_address(settings.http_listen);
}

}  // namespace pgcourier::cdc::daemon
