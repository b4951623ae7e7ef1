#include "config/setting_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "config/nearest_name.hpp"
#include "config/quantity.hpp"
#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

std::string joined(std::string_view section, std::string_view name) {
  return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
}

// What to say was found; never what a ${…} or a secret stands for.
std::string found(const Node& node, const Setting& setting) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return setting.secret ? "another value" : fmt::format("\"{}\"", node.written);
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return {};
}

class Checker {
 public:
  // `path`: as the user knows it (sinks.0.kafka); `section`: as in the table (sinks.*.kafka).
  void check_section(const Node& node, const std::string& path, const std::string& section) {
    if (node.kind != Node::Kind::map && node.kind != Node::Kind::null) {
      fail_at(node, path, fmt::format("expected a map of settings, found {}", kind_of(node)));
    }
    const std::vector<const Setting*> known = settings_below(section);
    for (const auto& [key, value] : node.entries) {
      const auto is_key = [&name = key.name](const Setting* s) { return name_of(*s) == name; };
      if (std::none_of(known.begin(), known.end(), is_key)) {
        throw SettingsError(fmt::format("{}: {}", key.origin,
                                        unknown_setting("key", section, joined(path, key.name))));
      }
    }
    for (const Setting* setting : known) {
      const std::string child_path = joined(path, name_of(*setting));
      const Node* child = node.find(name_of(*setting));
      Node absent;
      absent.origin = node.origin;
      check(child == nullptr ? absent : *child, child_path, *setting, child != nullptr);
    }
  }

 private:
  static std::string kind_of(const Node& node) { return found(node, Setting{}); }

  void check(const Node& node, const std::string& path, const Setting& setting, bool given) {
    if (setting.available == "-") {
      if (given) fail_at(node, path, "not available in this version of pgcourier");
      return;
    }
    const bool is_false = node.text == "false" && setting.type == SettingType::section_or_false;
    if (setting.type == SettingType::section || setting.type == SettingType::section_or_false) {
      if (!is_false) check_section(node, path, std::string(setting.path));
    } else if (node.kind == Node::Kind::null) {
      if (setting.required) fail_at(node, path, "required, but not given");
    } else {
      check_value(node, path, setting);
    }
  }

  void check_value(const Node& node, const std::string& path, const Setting& setting) {
    switch (setting.type) {
      case SettingType::sinks:
        check_sinks(node, path);
        return;
      case SettingType::text_list:
        check_list(node, path, setting);
        return;
      case SettingType::text_map:
        check_map(node, path, setting);
        return;
      default:
        if (node.kind != Node::Kind::scalar) {
          fail_at(node, path, fmt::format("expected one value, found {}", kind_of(node)));
        }
        check_scalar(node, path, setting);
    }
  }

  void check_sinks(const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::list) {
      fail_at(node, path, fmt::format("expected a list of sinks, found {}", kind_of(node)));
    }
    if (node.items.empty()) fail_at(node, path, "at least one sink is required");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      check_sink(node.items[i], fmt::format("{}.{}", path, i));
    }
  }

  void check_sink(const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::map || node.entries.size() != 1) {
      fail_at(node, path,
              "expected one kind of sink with its settings under it, as in `- stdout: {}`; there "
              "are kafka, files, stdout and \"null\"");
    }
    const auto& [key, settings] = node.entries.front();
    const std::string section = "sinks.*." + key.name;
    if (find_setting(section) == nullptr || key.name.find('.') != std::string::npos) {
      throw SettingsError(fmt::format(
          "{}: {}; not available in this version of pgcourier: there are kafka, files, stdout and "
          "\"null\"",
          key.origin, unknown_setting("kind of sink", "sinks.*", joined(path, key.name))));
    }
    check_section(settings, joined(path, key.name), section);
  }

  void check_list(const Node& node, const std::string& path, const Setting& setting) {
    if (node.kind != Node::Kind::list) {
      fail_at(node, path,
              fmt::format("expected a list like [a, b], found {}", found(node, setting)));
    }
    for (const Node& item : node.items) {
      if (item.kind != Node::Kind::scalar) {
        fail_at(item, path, fmt::format("expected a list of texts, found {} in it", kind_of(item)));
      }
    }
  }

  void check_map(const Node& node, const std::string& path, const Setting& setting) {
    if (node.kind != Node::Kind::map) {
      fail_at(node, path,
              fmt::format("expected a map like {{key: value}}, found {}", found(node, setting)));
    }
    for (const auto& [key, value] : node.entries) {
      if (value.kind != Node::Kind::scalar) {
        fail_at(value, joined(path, key.name),
                fmt::format("expected one value, found {}", kind_of(value)));
      }
    }
  }

  void check_scalar(const Node& node, const std::string& path, const Setting& setting) {
    switch (setting.type) {
      case SettingType::text:
        check_text(node, path, setting);
        return;
      case SettingType::boolean:
        if (node.text != "true" && node.text != "false") {
          fail_at(node, path,
                  fmt::format("expected true or false, found {}", found(node, setting)));
        }
        check_available(node, path, setting);
        return;
      case SettingType::choice: {
        const std::vector<std::string_view> values = alternatives(setting.values);
        if (std::find(values.begin(), values.end(), node.text) == values.end()) {
          fail_at(node, path,
                  fmt::format("expected one of {}, found {}", fmt::join(values, ", "),
                              found(node, setting)));
        }
        check_available(node, path, setting);
        return;
      }
      case SettingType::integer:
        check_range(node, path, setting, [](std::string_view text) {
          int number = 0;
          const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
          if (error != std::errc() || end != text.data() + text.size()) {
            throw SettingsError(fmt::format("expected a whole number, found \"{}\"", text));
          }
          return number;
        });
        return;
      case SettingType::size:
        check_range(node, path, setting, parse_size);
        return;
      case SettingType::duration:
        check_range(node, path, setting, parse_duration);
        if (setting.available == "0s" && parse_duration(node.text) != 0ms) {
          fail_unavailable(node, path, setting);
        }
        return;
      default:
        return;
    }
  }

  void check_text(const Node& node, const std::string& path, const Setting& setting) {
    if (node.text.empty() && setting.required) fail_at(node, path, "required, but empty");
    if (node.text.find('\0') != std::string::npos) {
      fail_at(node, path, "a NUL character can't be in it");
    }
    if (setting.rule == nullptr || setting.rule->matches(node.text)) return;
    fail_at(node, path,
            fmt::format("expected a text that matches {}, found {}", setting.rule->pattern,
                        found(node, setting)));
  }

  void check_available(const Node& node, const std::string& path, const Setting& setting) {
    const std::vector<std::string_view> available = alternatives(setting.available);
    if (available.empty()) return;
    if (std::find(available.begin(), available.end(), node.text) == available.end()) {
      fail_unavailable(node, path, setting);
    }
  }

  [[noreturn]] void fail_unavailable(const Node& node, const std::string& path,
                                     const Setting& setting) {
    fail_at(node, path,
            fmt::format("{} is not available in this version of pgcourier, only {}", node.written,
                        fmt::join(alternatives(setting.available), ", ")));
  }

  template <typename Parse>
  void check_range(const Node& node, const std::string& path, const Setting& setting,
                   const Parse& parse) {
    try {
      const auto value = parse(node.text);
      const bool too_low = !setting.minimum.empty() && value < parse(setting.minimum);
      const bool too_high = !setting.maximum.empty() && value > parse(setting.maximum);
      if (!too_low && !too_high) return;
    } catch (const SettingsError& error) {
      // The message has the text, which ${…} may have brought in.
      if (node.text == node.written) fail_at(node, path, error.what());
      fail_at(node, path, fmt::format("{} does not stand for a value of this type", node.written));
    }
    std::string range;
    if (!setting.minimum.empty()) range += fmt::format(" from {}", setting.minimum);
    if (!setting.maximum.empty()) range += fmt::format(" up to {}", setting.maximum);
    fail_at(node, path, fmt::format("expected a value{}, found {}", range, found(node, setting)));
  }
};

}  // namespace

void check_document(const Node& root) {
  if (root.kind != Node::Kind::map && root.kind != Node::Kind::null) {
    throw SettingsError(fmt::format("{}: expected a map of settings", root.origin));
  }
  Checker().check_section(root, "", "");
}

void fail_at(const Node& node, std::string_view path, std::string_view problem) {
  throw SettingsError(fmt::format("{}: {}: {}", node.origin, path, problem));
}

std::string unknown_setting(std::string_view what, std::string_view section,
                            std::string_view path) {
  const std::size_t dot = path.rfind('.');
  const std::string_view name = path.substr(dot + 1);
  const std::string_view before = dot == std::string_view::npos ? "" : path.substr(0, dot + 1);
  std::vector<std::string_view> siblings;
  for (const Setting* setting : settings_below(section)) {
    if (setting->type != SettingType::sink) siblings.push_back(name_of(*setting));
  }
  std::string meant = nearest_name(name, siblings);
  if (!meant.empty()) {
    meant.insert(0, before);
  } else {
    // Right word, wrong place.
    for (const Setting& setting : setting_table()) {
      const bool same = setting.type != SettingType::sink && name_of(setting) == name;
      if (meant.empty() && same) meant = setting.path;
    }
  }
  return fmt::format("unknown {} {}{}", what, path,
                     meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant));
}

}  // namespace pgcourier::config
