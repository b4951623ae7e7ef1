#include "config/effective_settings.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "config/setting_table.hpp"

namespace pgcourier::config {
namespace {

Node filled_section(const Node& section, std::string_view table_path);

Node make(Node::Kind kind, const Node& section) {
  Node node;
  node.kind = kind;
  node.origin = section.origin;
  return node;
}

Node filled_sinks(const Node& sinks) {
  Node filled = make(Node::Kind::list, sinks);
  for (const Node& item : sinks.items) {
    const auto& [key, settings] = item.entries.front();
    Node sink = make(Node::Kind::map, item);
    sink.entries.push_back({key, filled_section(settings, "sinks.*." + key.name)});
    filled.items.push_back(std::move(sink));
  }
  return filled;
}

// Null: the setting has no value.
Node filled_leaf(const Node& given, const Setting& setting) {
  if (given.kind != Node::Kind::null) return given;
  switch (setting.type) {
    case SettingType::text_list:
      return make(Node::Kind::list, given);
    case SettingType::text_map:
      return make(Node::Kind::map, given);
    default: {
      if (setting.default_value.empty()) return given;
      Node value = make(Node::Kind::scalar, given);
      value.text = value.written = setting.default_value;
      return value;
    }
  }
}

Node filled(const Node& given, const Setting& setting) {
  switch (setting.type) {
    case SettingType::section:
      return filled_section(given, setting.path);
    case SettingType::section_or_false:
      return given.kind == Node::Kind::scalar ? given : filled_section(given, setting.path);
    case SettingType::sinks:
      return filled_sinks(given);
    default:
      return filled_leaf(given, setting);
  }
}

Node filled_section(const Node& section, std::string_view table_path) {
  Node result = make(Node::Kind::map, section);
  for (const Setting* setting : settings_below(table_path)) {
    if (setting->available == "-") continue;
    const Node absent = make(Node::Kind::null, section);
    const Node* given = section.find(name_of(*setting));
    Node value = filled(given == nullptr ? absent : *given, *setting);
    if (value.kind == Node::Kind::null) continue;
    const Key key = {std::string(name_of(*setting)), value.origin};
    result.entries.push_back({key, std::move(value)});
  }
  return result;
}

}  // namespace

Node with_defaults(const Node& root) { return filled_section(root, ""); }

}  // namespace pgcourier::config
