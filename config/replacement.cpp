#include "config/replacement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <string_view>

#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

constexpr std::size_t longest_file = 4 * MiB;

constexpr std::string_view file_prefix = "file:";

using Environment = std::function<std::optional<std::string>(const char* variable)>;

bool is_variable_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

// `expression`: between the braces.
std::string evaluate(std::string_view expression, const Environment& environment, Node& node) {
  if (expression.starts_with(file_prefix)) {
    node.from_file = true;
    return read_text_file(std::string(expression.substr(file_prefix.size())));
  }
  const std::size_t separator = expression.find(":-");
  const std::string name(expression.substr(0, separator));
  if (!is_variable_name(name)) {
    throw SettingsError(
        "\"${\" must be followed by VAR}, VAR:-default} or file:/path}; write \"$${\" for the "
        "characters themselves");
  }
  const std::optional<std::string> value = environment ? environment(name.c_str()) : std::nullopt;
  if (separator != std::string_view::npos) {
    return value && !value->empty() ? *value : std::string(expression.substr(separator + 2));
  }
  if (!value) {
    throw SettingsError(fmt::format(
        "the environment variable {0} is not set (${{{0}:-…}} would give a default)", name));
  }
  return *value;
}

std::string replaced(Node& node, const Environment& environment) {
  const std::string_view text = node.written;
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i, 3) == "$${") {
      result += "${";
      i += 3;
    } else if (text.substr(i, 2) == "${") {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos) throw SettingsError("\"${\" without \"}\"");
      result += evaluate(text.substr(i + 2, end - i - 2), environment, node);
      i = end + 1;
    } else {
      result += text[i++];
    }
  }
  return result;
}

}  // namespace

std::optional<std::string> replacing_file(const Node& node) {
  std::string_view expression = node.written;
  if (!node.from_file || !expression.starts_with("${")) return std::nullopt;
  expression.remove_prefix(2);
  const bool whole = expression.find('}') == expression.size() - 1;
  if (!whole || !expression.starts_with(file_prefix)) return std::nullopt;
  expression.remove_suffix(1);
  return std::string(expression.substr(file_prefix.size()));
}

std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw SettingsError(fmt::format("can't read {}: {}", path, std::strerror(errno)));
  std::string text(longest_file + 1, '\0');
  errno = 0;
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && errno != 0)) {
    throw SettingsError(fmt::format("can't read {}: {}", path, std::strerror(errno)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > longest_file) throw SettingsError(fmt::format("{} is too large", path));
  if (text.ends_with('\n')) {
    text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
  }
  return text;
}

void replace_variables(Node& node, const Environment& environment) {
  if (node.kind == Node::Kind::scalar && node.written.find("${") != std::string::npos) {
    try {
      node.text = replaced(node, environment);
    } catch (const SettingsError& error) {
      throw SettingsError(fmt::format("{}: {}", node.origin, error.what()));
    }
  }
  for (Node& item : node.items) replace_variables(item, environment);
  for (auto& [key, value] : node.entries) replace_variables(value, environment);
}

}  // namespace pgcourier::config
