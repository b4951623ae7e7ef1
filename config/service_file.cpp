#include "config/service_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "config/connection_keywords.hpp"
#include "config/connection_values.hpp"

namespace pgcourier::config {
namespace {

constexpr std::size_t too_long = 1023;  // bytes of a line with its newline: libpq's buffer is full
constexpr std::string_view spaces = " \t\n\v\f\r";
constexpr std::string_view system_folder = "/etc/postgresql-common";  // Debian's SYSCONFDIR

[[noreturn]] void fail(const std::string& path, int line, std::string_view problem) {
  throw SettingsError(fmt::format("service file {}, line {}: {}", path, line, problem));
}

// As libpq's fgets: with its newline, never more than `too_long` bytes, and a NUL ends it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size() - 1);
  const std::string_view line = text.substr(0, std::min(end + 1, too_long));
  text.remove_prefix(line.size());
  return line.substr(0, line.find('\0'));
}

std::string_view trim(std::string_view line) {
  const std::size_t start = std::min(line.find_first_not_of(spaces), line.size());
  line.remove_prefix(start);
  return line.substr(0, line.find_last_not_of(spaces) + 1);
}

// What follows the bracket does not matter.
bool is_section(std::string_view line, std::string_view service) {
  line.remove_prefix(1);
  return line.starts_with(service) && line.substr(service.size()).starts_with(']');
}

// Neither spaces around the keyword nor quotes or escapes in the value; the first of two counts.
void store_line(ConnectionKeywords& keywords, std::string_view line, const std::string& path,
                int number) {
  if (line.starts_with("ldap")) {
    fail(path, number, "services are not looked up over LDAP: write the connection out");
  }
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) fail(path, number, "missing \"=\" after the keyword");
  const std::string_view name = line.substr(0, equals);
  if (name == "service" || name == "servicefile") {
    fail(path, number, fmt::format("a service can't name another: {} is not possible here", name));
  }
  if (!is_connection_keyword(name)) {
    fail(path, number, fmt::format("unknown keyword{}", keyword_hint(name)));
  }
  keywords.try_emplace(std::string(name), line.substr(equals + 1));
}

bool exists(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0;
}

std::string read_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw SettingsError(
        fmt::format("the service file {} can't be read: {}", path, std::strerror(errno)));
  }
  std::ostringstream text;
  text << file.rdbuf();  // nothing of a folder, as in libpq
  return text.str();
}

// Those to look at, in order. One that is named must be there.
std::vector<std::string> files_of(const ConnectionValues& values) {
  std::vector<std::string> files;
  if (const auto named = values.find("servicefile")) {
    files.push_back(*named);
  } else if (!values.home().empty() && exists(values.home() + "/.pg_service.conf")) {
    files.push_back(values.home() + "/.pg_service.conf");
  }
  const std::string folder = values.variable("PGSYSCONFDIR").value_or(std::string(system_folder));
  if (exists(folder + "/pg_service.conf")) files.push_back(folder + "/pg_service.conf");
  return files;
}

}  // namespace

std::optional<ConnectionKeywords> find_service(std::string_view text, std::string_view service,
                                               const std::string& path) {
  std::optional<ConnectionKeywords> found;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = take_line(text);
    if (line.size() >= too_long) fail(path, number, "the line is too long");
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with('[')) {
      if (found) break;
      if (is_section(line, service)) found.emplace();
    } else if (found) {
      store_line(*found, line, path, number);
    }
  }
  return found;
}

ConnectionKeywords add_service(const ConnectionKeywords& written,
                               const LibpqSurroundings& surroundings) {
  const ConnectionValues values(written, surroundings);
  const auto service = values.find("service");
  if (!service) return written;
  const std::vector<std::string> files = files_of(values);
  for (const std::string& path : files) {
    if (auto found = find_service(read_file(path), *service, path)) {
      ConnectionKeywords keywords = written;
      keywords.merge(*found);
      return keywords;
    }
  }
  throw SettingsError(
      files.empty()
          ? fmt::format("there is no service file to look for service \"{}\" in", *service)
          : fmt::format("service \"{}\" is not defined in {}", *service, fmt::join(files, " or ")));
}

}  // namespace pgcourier::config
