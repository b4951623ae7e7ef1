// TLS keywords and the files in ~/.postgresql (libpq 34.19), as initialize_SSL in libpq's
// fe-secure-openssl.c finds them.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "config/connection_values.hpp"

namespace pgcourier::config {
namespace {

constexpr auto modes = std::to_array<std::pair<std::string_view, SslMode>>({
    {"disable", SslMode::disable},
    {"allow", SslMode::allow},
    {"prefer", SslMode::prefer},
    {"require", SslMode::require},
    {"verify-ca", SslMode::verify_ca},
    {"verify-full", SslMode::verify_full},
});
constexpr std::array<std::string_view, 4> protocols = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
constexpr std::string_view system_roots = "system";  // sslrootcert=system, libpq 16

SslMode resolve_mode(const ConnectionValues& values, bool from_system_roots) {
  std::string_view otherwise = from_system_roots ? "verify-full" : "prefer";
  if (values.variable("PGREQUIRESSL").value_or("").starts_with('1')) otherwise = "require";
  const std::string written = values.choice(
      "sslmode", otherwise, {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"});
  if (from_system_roots && written != "verify-full") {
    throw SettingsError(fmt::format(
        "sslmode={} is too weak for sslrootcert=system, which anyone's certificate of a public "
        "authority satisfies: use sslmode=verify-full",
        written));
  }
  return std::find_if(modes.begin(), modes.end(),
                      [&](const auto& mode) { return mode.first == written; })
      ->second;
}

std::string resolve_protocol(const ConnectionValues& values, std::string_view name,
                             std::string_view otherwise) {
  const std::string written = values.find(name).value_or(std::string(otherwise));
  if (written.empty()) return written;
  for (const std::string_view protocol : protocols) {
    if (strcasecmp(written.c_str(), protocol.data()) == 0) return std::string(protocol);
  }
  throw SettingsError(fmt::format(
      "the connection's {} can't be \"{}\", only one of: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", name,
      written));
}

// Nothing but TLS is possible without asking first.
bool resolve_negotiation(const ConnectionValues& values, SslMode mode) {
  if (values.choice("sslnegotiation", "postgres", {"postgres", "direct"}) == "postgres") {
    return false;
  }
  if (mode < SslMode::require) {
    throw SettingsError(
        "sslmode is too weak for sslnegotiation=direct: use sslmode=require, verify-ca or "
        "verify-full");
  }
  return true;
}

bool exists(const std::string& path) {
  struct stat status = {};
  return !path.empty() && stat(path.c_str(), &status) == 0;
}

// What the keyword says, else the file of that name in ~/.postgresql; empty without a home.
std::string path_of(const ConnectionValues& values, std::string_view keyword,
                    std::string_view default_name) {
  std::string path = values.text(keyword);
  if (path.empty() && !values.home().empty()) {
    path = fmt::format("{}/.postgresql/{}", values.home(), default_name);
  }
  return path;
}

// Without a root certificate only a mode that verifies nothing is possible.
void resolve_roots(const ConnectionValues& values, ConnectionTarget& target) {
  const std::string roots = path_of(values, "sslrootcert", "root.crt");
  if (roots == system_roots || exists(roots)) {
    target.ssl_root_cert = roots;
    target.ssl_crl_dir = values.text("sslcrldir");
    // The default file, only if neither is named.
    const std::string revoked =
        target.ssl_crl_dir.empty() ? path_of(values, "sslcrl", "root.crl") : values.text("sslcrl");
    if (exists(revoked)) target.ssl_crl = revoked;
    return;
  }
  // Sockets in the file system never use TLS, whatever sslmode says.
  const bool all_sockets = std::all_of(target.hosts.begin(), target.hosts.end(),
                                       [](const Host& host) { return host.is_socket(); });
  if (all_sockets || !values.files_are_here()) return;
  if (target.ssl_mode == SslMode::verify_ca || target.ssl_mode == SslMode::verify_full) {
    throw SettingsError(fmt::format(
        "sslmode=verify-ca and verify-full need a root certificate, but {}: provide the file, or "
        "name it with sslrootcert=",
        roots.empty() ? "there is no home folder to look in"
                      : fmt::format("{} does not exist", roots)));
  }
}

void check_key(const std::string& key, const std::string& certificate) {
  struct stat status = {};
  if (stat(key.c_str(), &status) != 0) {
    throw SettingsError(fmt::format(
        "there is a client certificate {}, but its private key file {} can't be read: {}",
        certificate, key.empty() ? "(none given)" : key, std::strerror(errno)));
  }
  const mode_t forbidden = status.st_uid == 0 ? (S_IWGRP | S_IXGRP | S_IRWXO) : (S_IRWXG | S_IRWXO);
  if (!S_ISREG(status.st_mode) || (status.st_mode & forbidden) != 0) {
    throw SettingsError(fmt::format(
        "the private key file {} must be a plain file with permissions 0600 or less (0640 if it "
        "belongs to root)",
        key));
  }
}

void resolve_client_certificate(const ConnectionValues& values, ConnectionTarget& target) {
  const std::string mode = values.choice("sslcertmode", "allow", {"disable", "allow", "require"});
  if (mode == "disable") return;
  target.ssl_cert_required = mode == "require";
  if (target.ssl_cert_required && target.ssl_mode == SslMode::disable) {
    throw SettingsError("sslcertmode=require needs TLS, but sslmode is disable");
  }
  if (target.ssl_mode == SslMode::disable || !values.files_are_here()) return;
  const std::string certificate = path_of(values, "sslcert", "postgresql.crt");
  if (!exists(certificate)) {
    // libpq goes on without: the server may not ask for one.
    if (!target.ssl_cert_required) return;
    throw SettingsError(fmt::format(
        "sslcertmode=require needs a client certificate, but {}: provide the file, or name it with "
        "sslcert=",
        certificate.empty() ? "there is no home folder to look in"
                            : fmt::format("{} does not exist", certificate)));
  }
  const std::string key = path_of(values, "sslkey", "postgresql.key");
  check_key(key, certificate);
  target.ssl_cert = certificate;
  target.ssl_key = key;
  target.ssl_password = values.text("sslpassword");
}

}  // namespace

void resolve_tls(const ConnectionValues& values, ConnectionTarget& target) {
  target.ssl_mode = resolve_mode(values, values.text("sslrootcert") == system_roots);
  target.ssl_direct = resolve_negotiation(values, target.ssl_mode);
  target.ssl_min_protocol_version = resolve_protocol(values, "ssl_min_protocol_version", "TLSv1.2");
  target.ssl_max_protocol_version = resolve_protocol(values, "ssl_max_protocol_version", "");
  if (!target.ssl_max_protocol_version.empty() &&
      target.ssl_max_protocol_version < target.ssl_min_protocol_version) {
    throw SettingsError(fmt::format(
        "the connection's ssl_max_protocol_version {} is below its ssl_min_protocol_version {}",
        target.ssl_max_protocol_version, target.ssl_min_protocol_version));
  }
  target.ssl_sni = values.find("sslsni").value_or("1").starts_with('1');
  if (target.ssl_mode != SslMode::disable) resolve_roots(values, target);
  resolve_client_certificate(values, target);
}

}  // namespace pgcourier::config
