// The lists host, hostaddr and port, matched one to one (libpq 34.1.1.3).
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "config/connection_values.hpp"

namespace pgcourier::config {
namespace {

constexpr std::string_view default_socket_directory = "/var/run/postgresql";
constexpr std::uint16_t default_port = 5432;
constexpr std::size_t longest_socket_path = 107;  // sockaddr_un::sun_path with its final NUL

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> elements;
  if (list.empty()) return elements;
  std::size_t start = 0;
  for (;;) {
    const std::size_t comma = list.find(',', start);
    elements.push_back(list.substr(start, comma - start));
    if (comma == std::string::npos) return elements;
    start = comma + 1;
  }
}

std::uint16_t parse_port(const std::string& text) {
  if (text.empty()) return default_port;
  const std::optional<int> port = parse_libpq_integer(text);
  if (!port || *port < 1 || *port > 65535) {
    throw SettingsError(
        fmt::format("\"{}\" is no port: the connection's port must be from 1 to 65535", text));
  }
  return static_cast<std::uint16_t>(*port);
}

void check_socket_path(const Host& host) {
  if (!host.is_socket()) return;
  const std::string path = fmt::format("{}/.s.PGSQL.{}", host.name, host.port);
  if (path.size() > longest_socket_path) {
    throw SettingsError(fmt::format("the socket's path {} is longer than the {} bytes possible",
                                    path, longest_socket_path));
  }
}

}  // namespace

void resolve_hosts(const ConnectionValues& values, ConnectionTarget& target) {
  const std::vector<std::string> names = split(values.text("host"));
  const std::vector<std::string> addresses = split(values.text("hostaddr"));
  const std::vector<std::string> ports = split(values.text("port"));
  if (!names.empty() && !addresses.empty() && names.size() != addresses.size()) {
    throw SettingsError(
        fmt::format("the connection has {} host names but {} hostaddr values: give one for each",
                    names.size(), addresses.size()));
  }
  const std::size_t count = std::max<std::size_t>(1, std::max(names.size(), addresses.size()));
  if (ports.size() > 1 && ports.size() != count) {
    throw SettingsError(
        fmt::format("the connection has {} ports but {} hosts: give one port for all or one for "
                    "each",
                    ports.size(), count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    Host host;
    if (i < names.size()) host.name = names[i];
    if (i < addresses.size()) host.address = addresses[i];
    if (host.name.empty() && host.address.empty()) host.name = default_socket_directory;
    if (!ports.empty()) host.port = parse_port(ports.size() == 1 ? ports[0] : ports[i]);
    check_socket_path(host);
    target.hosts.push_back(std::move(host));
  }
}

}  // namespace pgcourier::config
