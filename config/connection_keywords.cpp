#include "config/connection_keywords.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "config/nearest_name.hpp"

namespace pgcourier::config {
namespace {

constexpr auto known = std::to_array<ConnectionKeyword>({
    {"service", "PGSERVICE", 15},
    {"user", "PGUSER", 15},
    {"password", "PGPASSWORD", 15},
    {"passfile", "PGPASSFILE", 15},
    {"channel_binding", "PGCHANNELBINDING", 15},
    {"connect_timeout", "PGCONNECT_TIMEOUT", 15},
    {"dbname", "PGDATABASE", 15},
    {"host", "PGHOST", 15},
    {"hostaddr", "PGHOSTADDR", 15},
    {"port", "PGPORT", 15},
    {"client_encoding", "PGCLIENTENCODING", 15},
    {"options", "PGOPTIONS", 15},
    {"application_name", "PGAPPNAME", 15},
    {"fallback_application_name", nullptr, 15},
    {"keepalives", nullptr, 15},
    {"keepalives_idle", nullptr, 15},
    {"keepalives_interval", nullptr, 15},
    {"keepalives_count", nullptr, 15},
    {"tcp_user_timeout", nullptr, 15},
    {"sslmode", "PGSSLMODE", 15},
    {"sslcompression", "PGSSLCOMPRESSION", 15},
    {"sslcert", "PGSSLCERT", 15},
    {"sslkey", "PGSSLKEY", 15},
    {"sslpassword", nullptr, 15},
    {"sslrootcert", "PGSSLROOTCERT", 15},
    {"sslcrl", "PGSSLCRL", 15},
    {"sslcrldir", "PGSSLCRLDIR", 15},
    {"sslsni", "PGSSLSNI", 15},
    {"requirepeer", "PGREQUIREPEER", 15},
    {"ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", 15},
    {"ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", 15},
    {"gssencmode", "PGGSSENCMODE", 15},
    {"krbsrvname", "PGKRBSRVNAME", 15},
    {"gsslib", "PGGSSLIB", 15},
    {"replication", nullptr, 15},
    {"target_session_attrs", "PGTARGETSESSIONATTRS", 15},
    {"require_auth", "PGREQUIREAUTH", 16},
    {"sslcertmode", "PGSSLCERTMODE", 16},
    {"gssdelegation", "PGGSSDELEGATION", 16},
    {"load_balance_hosts", "PGLOADBALANCEHOSTS", 16},
    {"sslnegotiation", "PGSSLNEGOTIATION", 17},
    {"min_protocol_version", "PGMINPROTOCOLVERSION", 18},
    {"max_protocol_version", "PGMAXPROTOCOLVERSION", 18},
    {"sslkeylogfile", nullptr, 18},
    {"servicefile", "PGSERVICEFILE", 19},
    {"scram_client_key", nullptr, 18},
    {"scram_server_key", nullptr, 18},
    {"oauth_issuer", nullptr, 18},
    {"oauth_client_id", nullptr, 18},
    {"oauth_client_secret", nullptr, 18},
    {"oauth_scope", nullptr, 18},
});

}  // namespace

std::span<const ConnectionKeyword> connection_keywords() { return known; }

bool is_connection_keyword(std::string_view name) {
  return std::any_of(known.begin(), known.end(),
                     [&](const ConnectionKeyword& keyword) { return keyword.name == name; });
}

std::string keyword_hint(std::string_view unknown) {
  std::vector<std::string_view> names;
  names.reserve(std::size(known));
  for (const ConnectionKeyword& keyword : known) names.push_back(keyword.name);
  const std::string nearest = nearest_name(unknown, names);
  return nearest.empty() ? std::string() : fmt::format(" (did you mean \"{}\"?)", nearest);
}

void store_keyword(ConnectionKeywords& keywords, std::string_view name, std::string value,
                   std::size_t position) {
  // libpq's words from before sslmode.
  if (name == "requiressl") {
    name = "sslmode";
    value = value.starts_with('1') ? "require" : "prefer";
  }
  if (!is_connection_keyword(name)) {
    // The unknown word may be a piece of a password that wanted quotes: only its place is told.
    throw SettingsError(fmt::format("unknown keyword at character {} of the connection string{}",
                                    position + 1, keyword_hint(name)));
  }
  keywords.insert_or_assign(std::string(name), std::move(value));
}

}  // namespace pgcourier::config
