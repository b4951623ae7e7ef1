// libpq's connection service files, pg_service.conf: a [service] and its keyword=value lines
// (libpq 34.17).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/connection_string.hpp"

namespace pgcourier::config {

// The keywords of the first section that is named `service`; empty if there is none. `path` is for
// messages. Throws SettingsError, with file and line but not the line itself (it may hold a
// password), for what libpq refuses and for an LDAP URL.
std::optional<ConnectionKeywords> find_service(std::string_view text, std::string_view service,
                                               const std::string& path);

// `written` with what the service that it or PGSERVICE names adds; what is written comes first, as
// in libpq. The service is looked for in the file that `servicefile` or PGSERVICEFILE names, or in
// ~/.pg_service.conf, then in PGSYSCONFDIR/pg_service.conf. Throws SettingsError as find_service
// does, and for a service that is nowhere.
ConnectionKeywords add_service(const ConnectionKeywords& written,
                               const LibpqSurroundings& surroundings);

}  // namespace pgcourier::config
