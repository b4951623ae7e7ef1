#include "config/pass_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>

namespace pgcourier::config {
namespace {

// Takes one field and its colon from `line` if the field is `*` or, unescaped, `value`.
bool take_field(std::string_view& line, std::string_view value) {
  if (line.starts_with("*:")) {
    line.remove_prefix(2);
    return true;
  }
  std::size_t matched = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ':' && matched == value.size()) {
      line.remove_prefix(i + 1);
      return true;
    }
    if (line[i] == '\\' && ++i == line.size()) return false;
    if (matched == value.size() || line[i] != value[matched]) return false;
    ++matched;
  }
  return false;
}

// Up to the next colon that no backslash escapes.
std::string unescape_password(std::string_view rest) {
  std::string password;
  for (std::size_t i = 0; i < rest.size() && rest[i] != ':'; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    password += rest[i];
  }
  return password;
}

}  // namespace

std::optional<std::string> PassFile::find(std::string_view host, std::uint16_t port,
                                          std::string_view database, std::string_view user) const {
  if (host.empty() || host == "/var/run/postgresql") host = "localhost";
  const std::string port_text = fmt::format("{}", port);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    if (take_field(line, host) && take_field(line, port_text) && take_field(line, database) &&
        take_field(line, user)) {
      return unescape_password(line);
    }
  }
  return std::nullopt;
}

PassFile read_pass_file(const std::string& path, std::vector<std::string>& warnings) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode)) {
    warnings.push_back(fmt::format("the password file {} is ignored: it is no plain file", path));
    return {};
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    warnings.push_back(fmt::format(
        "the password file {} is ignored: others may read it; its permissions must be 0600 or less",
        path));
    return {};
  }
  std::ifstream file(path, std::ios::binary);
  return {std::string(std::istreambuf_iterator<char>(file), {})};
}

}  // namespace pgcourier::config
