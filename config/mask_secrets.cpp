#include "config/mask_secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "config/connection_keywords.hpp"
#include "config/kafka_properties.hpp"
#include "config/setting_table.hpp"
#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

constexpr std::string_view mask = "***";

bool is_secret_keyword(std::string_view name) {
  constexpr auto secrets = std::to_array<std::string_view>(
      {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"});
  return std::find(secrets.begin(), secrets.end(), name) != secrets.end();
}

// key='value' pairs.
std::string write_key_values(const ConnectionKeywords& keywords) {
  std::string text;
  for (const auto& [name, value] : keywords) {
    if (!text.empty()) text += ' ';
    text += name + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  }
  return text;
}

// The password before `@` and each parameter after `?` that may be a secret. What this misses is
// noticed by parsing the result.
std::string mask_uri(std::string_view text) {
  const std::size_t start = text.find("://") + 3;
  std::string result(text.substr(0, start));
  std::string_view rest = text.substr(start);
  const std::size_t end = rest.find_first_of("@/");
  if (end != std::string_view::npos && rest[end] == '@') {
    const std::string_view credentials = rest.substr(0, end);
    const std::size_t colon = credentials.find(':');
    result += credentials.substr(0, colon);
    if (colon != std::string_view::npos) result += fmt::format(":{}", mask);
    rest.remove_prefix(end);
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  result += rest.substr(0, question);
  rest.remove_prefix(question);
  while (!rest.empty()) {
    const std::size_t next = std::min(rest.find('&', 1), rest.size());
    const std::string_view parameter = rest.substr(0, next);
    const std::size_t equals = parameter.find('=');
    result += parameter.substr(0, equals);
    if (equals != std::string_view::npos) {
      const bool secret = is_secret_keyword(parameter.substr(1, equals - 1));
      result += fmt::format("={}", secret ? mask : parameter.substr(equals + 1));
    }
    rest.remove_prefix(next);
  }
  return result;
}

void mask_section(Node& node, const std::string& section);

void mask_setting(Node& node, const Setting& setting) {
  if (setting.type == SettingType::sinks) {
    for (Node& item : node.items) mask_section(item, "sinks.*");
  } else if (setting.type == SettingType::text_map) {
    for (auto& [key, value] : node.entries) {
      if (value.from_file || is_secret_kafka_property(key.name)) value.text = mask;
    }
  } else if (setting.type == SettingType::text_list) {
    for (Node& item : node.items) {
      if (item.from_file) item.text = mask;
    }
  } else if (node.kind == Node::Kind::map) {
    mask_section(node, std::string(setting.path));
  } else if (setting.path == "source.url") {
    node.text = mask_connection_string(node.text);
  } else if (node.kind == Node::Kind::scalar && (setting.secret || node.from_file)) {
    node.text = mask;
  }
}

void mask_section(Node& node, const std::string& section) {
  for (auto& [key, value] : node.entries) {
    const Setting* setting =
        find_setting(section.empty() ? key.name : fmt::format("{}.{}", section, key.name));
    if (setting != nullptr) mask_setting(value, *setting);
  }
}

}  // namespace

std::string mask_connection_string(std::string_view text) {
  try {
    ConnectionKeywords keywords = parse_connection_string(text);
    bool secret = false;
    for (auto& [name, value] : keywords) {
      if (!is_secret_keyword(name)) continue;
      value = mask;
      secret = true;
    }
    if (!secret) return std::string(text);
    if (!is_connection_uri(text)) return write_key_values(keywords);
    const std::string masked = mask_uri(text);
    return parse_connection_string(masked) == keywords ? masked : write_key_values(keywords);
  } catch (const SettingsError&) {
    return std::string(mask);
  }
}

Node mask_document(const Node& effective) {
  Node masked = effective;
  mask_section(masked, "");
  return masked;
}

}  // namespace pgcourier::config
