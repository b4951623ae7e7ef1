// GSSAPI keywords (libpq 34.1.2).
#include <algorithm>

#include "config/connection_values.hpp"

namespace pgcourier::config {

void resolve_gss(const ConnectionValues& values, ConnectionTarget& target) {
  const std::string mode = values.choice("gssencmode", "prefer", {"disable", "prefer", "require"});
  if (mode == "disable") target.gss_enc_mode = GssEncMode::disable;
  if (mode == "require") target.gss_enc_mode = GssEncMode::require;
  const bool some_socket = std::any_of(target.hosts.begin(), target.hosts.end(),
                                       [](const Host& host) { return host.is_socket(); });
  if (target.gss_enc_mode == GssEncMode::require && some_socket) {
    throw SettingsError(
        "the connection's gssencmode=require is not possible over a Unix-domain socket, which is "
        "never encrypted: name a host, or use gssencmode=prefer");
  }
  const std::string library = values.text("gsslib");
  if (!library.empty() && library != "gssapi") {
    throw SettingsError("the connection's gsslib can't be \"" + library +
                        "\", only gssapi: SSPI is a library of Windows");
  }
  const std::string service = values.text("krbsrvname");
  if (!service.empty()) target.krb_srv_name = service;
  target.gss_delegation = values.text("gssdelegation").starts_with('1');
}

}  // namespace pgcourier::config
