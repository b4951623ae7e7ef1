#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "config/connection_values.hpp"
#include "config/pass_file.hpp"
#include "config/service_file.hpp"

namespace pgcourier::config {
namespace {

// A keyword that libpq knows and pgcourier can't do yet: ignoring it would be less safe, or connect
// elsewhere, than asked for.
struct Refused {
  std::string_view keyword;
  std::string_view accepted;  // values that change nothing, `|` between; the empty one always is
  std::string_view reason;
};

constexpr std::string_view use_oauth_token =
    "a token is not asked for, but taken from source.oauth_token or source.oauth_token_command";

constexpr auto refused = std::to_array<Refused>({
    {"sslkeylogfile", "", "TLS keys are never written to a file"},
    {"scram_client_key", "", "SCRAM keys are not taken: give the password"},
    {"scram_server_key", "", "SCRAM keys are not taken: give the password"},
    {"oauth_issuer", "", use_oauth_token},
    {"oauth_client_id", "", use_oauth_token},
    {"oauth_client_secret", "", use_oauth_token},
    {"oauth_scope", "", use_oauth_token},
});

bool is_one_of(std::string_view value, std::string_view choices) {
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == value) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return value.empty();
}

void check_refused(const ConnectionValues& values) {
  for (const Refused& refusal : refused) {
    if (!is_one_of(values.text(refusal.keyword), refusal.accepted)) {
      throw SettingsError(
          fmt::format("the connection's {} is not available in this version of pgcourier: {}",
                      refusal.keyword, refusal.reason));
    }
  }
}

// A list of methods, or of methods with `!` before each (libpq 34.1.2, require_auth).
void check_require_auth(std::string_view list) {
  constexpr auto methods = std::to_array<std::string_view>(
      {"password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"});
  if (list.empty()) return;
  const bool negated = list.starts_with('!');
  std::vector<std::string_view> seen;
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t comma = std::min(list.find(',', start), list.size());
    std::string_view method = list.substr(start, comma - start);
    start = comma + 1;
    if (method.starts_with('!') != negated) {
      throw SettingsError("the connection's require_auth mixes methods with and without \"!\"");
    }
    if (negated) method.remove_prefix(1);
    if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
      throw SettingsError(
          fmt::format("the connection's require_auth names an unknown method \"{}\"", method));
    }
    if (std::find(seen.begin(), seen.end(), method) != seen.end()) {
      throw SettingsError(fmt::format("the connection's require_auth names \"{}\" twice", method));
    }
    seen.push_back(method);
  }
}

TargetSessionAttrs resolve_target_session_attrs(const ConnectionValues& values) {
  constexpr auto names = std::to_array<std::pair<std::string_view, TargetSessionAttrs>>({
      {"any", TargetSessionAttrs::any},
      {"read-write", TargetSessionAttrs::read_write},
      {"read-only", TargetSessionAttrs::read_only},
      {"primary", TargetSessionAttrs::primary},
      {"standby", TargetSessionAttrs::standby},
      {"prefer-standby", TargetSessionAttrs::prefer_standby},
  });
  const std::string written =
      values.choice("target_session_attrs", "primary",
                    {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"});
  return std::find_if(names.begin(), names.end(),
                      [&](const auto& name) { return name.first == written; })
      ->second;
}

// As libpq 18: 3.0 unless something newer is asked for.
void resolve_protocol_versions(const ConnectionValues& values, ConnectionTarget& target) {
  constexpr std::uint32_t protocol_3_0 = 3 << 16;
  constexpr std::uint32_t protocol_3_2 = 3 << 16 | 2;
  const auto version = [&](std::string_view keyword, std::string_view otherwise) {
    return values.choice(keyword, otherwise, {"3.0", "3.2", "latest"}) == "3.0" ? protocol_3_0
                                                                                : protocol_3_2;
  };
  target.min_protocol_version = version("min_protocol_version", "3.0");
  target.max_protocol_version = version(
      "max_protocol_version", target.min_protocol_version == protocol_3_0 ? "3.0" : "latest");
  if (target.min_protocol_version > target.max_protocol_version) {
    throw SettingsError("the connection's min_protocol_version is above its max_protocol_version");
  }
}

void resolve_times(const ConnectionValues& values, ConnectionTarget& target) {
  if (values.find("connect_timeout")) {
    const int seconds = values.integer("connect_timeout", 0);
    // libpq: less than 2 seconds could round to nothing; 0 and less is no limit.
    target.connect_timeout = std::chrono::seconds(seconds > 0 ? std::max(seconds, 2) : 0);
  }
  const auto at_least_zero = [&](std::string_view name) {
    return std::max(0, values.integer(name, 0));
  };
  target.keepalives = values.integer("keepalives", 1) != 0;
  target.keepalives_idle = std::chrono::seconds(at_least_zero("keepalives_idle"));
  target.keepalives_interval = std::chrono::seconds(at_least_zero("keepalives_interval"));
  target.keepalives_count = at_least_zero("keepalives_count");
  target.tcp_user_timeout = std::chrono::milliseconds(at_least_zero("tcp_user_timeout"));
}

void resolve_passwords(const ConnectionValues& values, const std::optional<std::string>& password,
                       ConnectionTarget& target, std::vector<std::string>& warnings) {
  const std::string given = password ? *password : values.text("password");
  if (!given.empty()) {
    for (Host& host : target.hosts) host.password = given;
    return;
  }
  std::string path = values.text("passfile");
  if (path.empty() && !values.home().empty()) path = values.home() + "/.pgpass";
  if (path.empty()) return;
  const PassFile pass_file = read_pass_file(path, warnings);
  for (Host& host : target.hosts) {
    host.password = pass_file
                        .find(host.name.empty() ? host.address : host.name, host.port,
                              target.database, target.user)
                        .value_or(std::string());
  }
}

std::string first_not_empty(std::string a, std::string b) { return a.empty() ? b : a; }

void warn_of_ignored(const ConnectionKeywords& keywords, std::vector<std::string>& warnings) {
  const auto balance = keywords.find("load_balance_hosts");
  if (balance != keywords.end() && balance->second == "random") {
    warnings.push_back("load_balance_hosts=random has no effect: hosts are tried in their order");
  }
  if (keywords.contains("client_encoding")) {
    warnings.push_back("the connection's client_encoding has no effect: it is always UTF8");
  }
}

}  // namespace

ConnectionTarget resolve_connection(const ConnectionKeywords& written,
                                    const std::optional<std::string>& password,
                                    const LibpqSurroundings& surroundings,
                                    std::vector<std::string>& warnings) {
  ConnectionKeywords keywords;
  try {
    keywords = add_service(written, surroundings);
  } catch (const SettingsError&) {
    if (surroundings.files_are_here) throw;
    return {};
  }
  const ConnectionValues values(keywords, surroundings);
  check_refused(values);
  ConnectionTarget target;
  resolve_hosts(values, target);
  target.user = first_not_empty(values.text("user"), surroundings.user_name);
  if (target.user.empty()) throw SettingsError("the connection names no user");
  target.database = first_not_empty(values.text("dbname"), target.user);
  target.target_session_attrs = resolve_target_session_attrs(values);
  resolve_tls(values, target);
  resolve_gss(values, target);
  target.require_auth = values.text("require_auth");
  check_require_auth(target.require_auth);
  target.require_peer = values.text("requirepeer");
  target.channel_binding =
      values.choice("channel_binding", "prefer", {"disable", "prefer", "require"});
  resolve_protocol_versions(values, target);
  values.choice("load_balance_hosts", "disable", {"disable", "random"});
  resolve_times(values, target);
  target.application_name =
      first_not_empty(values.text("application_name"), values.text("fallback_application_name"));
  target.options = values.text("options");
  warn_of_ignored(keywords, warnings);
  resolve_passwords(values, password, target, warnings);
  return target;
}

LibpqSurroundings process_surroundings() {
  LibpqSurroundings surroundings;
  surroundings.environment = [](const char* variable) -> std::optional<std::string> {
    const char* value = std::getenv(variable);
    if (value == nullptr) return std::nullopt;
    return value;
  };
  passwd entry = {};
  passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    surroundings.user_name = entry.pw_name;
    surroundings.home = entry.pw_dir;
  }
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') surroundings.home = home;
  return surroundings;
}

}  // namespace pgcourier::config
