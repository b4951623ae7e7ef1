// libpq's connection strings: postgresql:// URIs and key=value pairs, with several hosts.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace pgcourier::config {

// The keywords as written, after URI decoding and unquoting; hosts not yet split.
using ConnectionKeywords = std::map<std::string, std::string, std::less<>>;

// Parses as libpq's PQconninfoParse does; throws SettingsError (without the string itself: it may
// hold a password) where that fails or a keyword is unknown.
ConnectionKeywords parse_connection_string(std::string_view text);

enum class SslMode { disable, allow, prefer, require, verify_ca, verify_full };
enum class GssEncMode { disable, prefer, require };
enum class TargetSessionAttrs { any, read_write, read_only, primary, standby, prefer_standby };

// One place to try.
struct Host {
  std::string name;  // for the certificate, SNI, .pgpass and messages; a path: a socket directory
  std::string address;  // hostaddr; empty: resolve `name`
  std::uint16_t port = 5432;
  std::string password;  // of this host (.pgpass may differ by host); empty: none

  bool is_socket() const {
    return address.empty() && (name.starts_with('/') || name.starts_with('@'));
  }
};

// All that is needed to connect; every keyword that pgcourier honours, resolved against the
// environment, the service file, .pgpass and libpq's defaults.
struct ConnectionTarget {
  std::vector<Host> hosts;
  std::string user;
  std::string database;
  TargetSessionAttrs target_session_attrs = TargetSessionAttrs::any;
  SslMode ssl_mode = SslMode::prefer;
  bool ssl_direct = false;         // sslnegotiation=direct: TLS from the first byte on
  std::string ssl_root_cert;       // path; empty: none
  std::string ssl_crl;             // path; empty: none
  std::string ssl_crl_dir;         // path, with OpenSSL's hashed names in it; empty: none
  std::string ssl_cert;            // path; empty: none
  std::string ssl_key;             // path; empty: none
  std::string ssl_password;        // of the key
  bool ssl_cert_required = false;  // sslcertmode=require: the server must have asked for it
  std::string ssl_min_protocol_version = "TLSv1.2";
  std::string ssl_max_protocol_version;
  bool ssl_sni = true;
  // How to get an OAuth token for each connection, at most one of the three; not libpq's.
  std::string oauth_token;
  std::string oauth_token_file;
  std::vector<std::string> oauth_token_command;
  GssEncMode gss_enc_mode = GssEncMode::prefer;
  std::string krb_srv_name = "postgres";  // the server's principal is this name @ its host
  bool gss_delegation = false;            // the server may act in our name elsewhere
  std::string require_auth;               // as given; empty: anything
  std::string require_peer;     // the user a server behind a Unix-domain socket runs as; empty: any
  std::string channel_binding;  // disable | prefer | require
  // Of PostgreSQL's protocol, as in the StartupMessage: 3 << 16 | minor.
  std::uint32_t min_protocol_version = 3 << 16;
  std::uint32_t max_protocol_version = 3 << 16;
  std::chrono::milliseconds connect_timeout = 10s;  // for one address; 0: none
  bool keepalives = true;
  std::chrono::seconds keepalives_idle{0};      // 0: the system's
  std::chrono::seconds keepalives_interval{0};  // 0: the system's
  int keepalives_count = 0;                     // 0: the system's
  std::chrono::milliseconds tcp_user_timeout{0};
  std::string application_name;
  std::string options;  // PGOPTIONS / options
};

// The process's environment and files, as parameters for tests.
struct LibpqSurroundings {
  std::function<std::optional<std::string>(const char* variable)> environment;
  std::string home;       // for ~/.pgpass, ~/.postgresql; empty: none
  std::string user_name;  // of the operating system: libpq's default user
  // False: services, certificates and keys may be elsewhere, so a missing one is no error.
  bool files_are_here = true;
};

LibpqSurroundings process_surroundings();

// Fills in what `written` leaves open. `password`, from source.password_file, comes before .pgpass.
// Throws SettingsError for a value that libpq would refuse, a .pgpass with open permissions is
// ignored as libpq does (a sentence is put into `warnings`). Of a service that can't be found, if
// the files may be elsewhere, any part of the target may come: then it is empty.
ConnectionTarget resolve_connection(const ConnectionKeywords& written,
                                    const std::optional<std::string>& password,
                                    const LibpqSurroundings& surroundings,
                                    std::vector<std::string>& warnings);

}  // namespace pgcourier::config
