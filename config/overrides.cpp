#include "config/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>
#include <utility>

#include "config/replacement.hpp"
#include "config/setting_check.hpp"
#include "config/setting_table.hpp"

namespace pgcourier::config {
namespace {

constexpr std::string_view prefix = "PGCOURIER_";

using Steps = std::vector<std::string>;

// Where a path leads: the setting, and the keys and indexes on the way.
struct Place {
  const Setting* setting = nullptr;
  bool in_map = false;  // the last step is a key of a text_map
  Steps steps;
};

bool is_index(std::string_view step) {
  return !step.empty() && step.size() <= 4 &&
         std::all_of(step.begin(), step.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::size_t to_index(std::string_view step) {
  std::size_t index = 0;
  std::from_chars(step.data(), step.data() + step.size(), index);
  return index;
}

// `origin`: what the message begins with.
Place find_place(const Steps& steps, const std::string& origin) {
  Place place;
  std::string table_path, path;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string section = table_path;
    path += (i == 0 ? "" : ".") + steps[i];
    const bool list_item =
        place.setting != nullptr && place.setting->type == SettingType::sinks && is_index(steps[i]);
    table_path += (i == 0 ? "" : ".") + (list_item ? "*" : steps[i]);
    place.setting = steps[i] == "*" ? nullptr : find_setting(table_path);
    if (place.setting == nullptr) {
      throw SettingsError(fmt::format("{}: {}", origin, unknown_setting("setting", section, path)));
    }
    place.steps.push_back(steps[i]);
    if (place.setting->type == SettingType::text_map && i + 1 < steps.size()) {
      place.in_map = true;
      std::string key;
      for (std::size_t rest = i + 1; rest < steps.size(); ++rest) {
        key += (key.empty() ? "" : ".") + steps[rest];
      }
      place.steps.push_back(std::move(key));
      break;
    }
  }
  return place;
}

Steps split(std::string_view text, std::string_view separator) {
  Steps steps;
  for (;;) {
    const std::size_t end = text.find(separator);
    steps.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return steps;
    text.remove_prefix(end + separator.size());
  }
}

void set_origin(Node& node, const std::string& origin) {
  node.origin = origin;
  for (Node& item : node.items) set_origin(item, origin);
  for (auto& [key, value] : node.entries) {
    key.origin = origin;
    set_origin(value, origin);
  }
}

// Scalars are taken as they are; lists, maps and sections are YAML.
Node value_node(const Place& place, const std::string& text, const std::string& origin) {
  Node node;
  switch (place.in_map ? SettingType::text : place.setting->type) {
    case SettingType::section:
    case SettingType::section_or_false:
    case SettingType::sinks:
    case SettingType::sink:
    case SettingType::text_list:
    case SettingType::text_map:
      node = parse_document(text, origin);
      break;
    default:
      node.kind = Node::Kind::scalar;
      node.text = node.written = text;
  }
  set_origin(node, origin);
  return node;
}

// Makes what is missing on the way; `false` and nothing give way to a map.
Node& descend(Node& node, const std::string& step, bool in_list, const std::string& origin) {
  if (node.kind == Node::Kind::null || (node.kind == Node::Kind::scalar && node.text == "false")) {
    node = Node();
    node.kind = in_list ? Node::Kind::list : Node::Kind::map;
    node.origin = origin;
  }
  if (in_list && node.kind == Node::Kind::list) {
    const std::size_t index = to_index(step);
    if (index > node.items.size()) {
      throw SettingsError(fmt::format("{}: there is no sink {} before it", origin, index - 1));
    }
    if (index == node.items.size()) node.items.emplace_back();
    return node.items[index];
  }
  if (in_list || node.kind != Node::Kind::map) {
    throw SettingsError(
        fmt::format("{}: expected a {} of settings", node.origin, in_list ? "list" : "map"));
  }
  if (Node* child = node.find(step)) return *child;
  node.entries.push_back({Key{step, origin}, Node()});
  return node.entries.back().value;
}

void put(Node& root, const Place& place, Node value, const std::string& origin) {
  Node* node = &root;
  for (std::size_t i = 0; i < place.steps.size(); ++i) {
    const bool in_list = i == 1 && place.steps[0] == "sinks";
    node = &descend(*node, place.steps[i], in_list, origin);
    if (node->origin.empty()) node->origin = origin;
  }
  *node = std::move(value);
}

// Kubernetes gives each pod variables for the services around it: PGCOURIER_SERVICE_HOST,
// PGCOURIER_PORT_8470_TCP_ADDR.
bool is_service_link(std::string_view name) {
  return name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos ||
         name.ends_with("_PORT") || name.find("_PORT_") != std::string_view::npos;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// `path`: the name's, in lower case, `__` between its steps.
void apply_variable(Node& root, const std::string& name, const std::string& path,
                    const std::string& value) {
  Place place = find_place(split(path, "__"), name);
  // No property of librdkafka that can be set has an underscore; variables can't have dots.
  if (place.in_map) std::replace(place.steps.back().begin(), place.steps.back().end(), '_', '.');
  put(root, place, value_node(place, value, name), name);
}

}  // namespace

void apply_environment(Node& root, const Overrides& overrides, std::vector<std::string>& warnings) {
  if (!overrides.variables || !overrides.environment) return;
  std::vector<std::string> names = overrides.variables();
  std::sort(names.begin(), names.end());  // a sink's index after the one before it
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    const std::optional<std::string> value = overrides.environment(name.c_str());
    if (!value) continue;
    const std::string path = lower(name.substr(prefix.size()));
    if (path.find("__") == std::string::npos && find_setting(path) == nullptr) {
      if (!is_service_link(name)) {
        warnings.push_back(
            fmt::format("{} is ignored: {}", name, unknown_setting("setting", "", path)));
      }
      continue;
    }
    apply_variable(root, name, path, *value);
  }
}

void apply_set(Node& root, const Overrides& overrides) {
  for (const std::string& assignment : overrides.set) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw SettingsError("--set expects PATH=VALUE, as in --set source.slot=shop");
    }
    const std::string path = assignment.substr(0, equals);
    const std::string origin = "--set " + path;
    const Place place = find_place(split(path, "."), origin);
    Node value = value_node(place, assignment.substr(equals + 1), origin);
    replace_variables(value, overrides.environment);
    put(root, place, std::move(value), origin);
  }
}

}  // namespace pgcourier::config
