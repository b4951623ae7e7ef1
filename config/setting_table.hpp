// The one table of all settings. The check of the file, `config schema`, `config show`, the
// environment's names and the documentation of the defaults come from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/text_rules.hpp"

namespace pgcourier::config {

enum class SettingType {
  section,           // a map of the settings below it
  section_or_false,  // the same, or `false`
  sinks,             // the list of sinks
  sink,              // a map of one kind of sink to its section
  text,
  boolean,
  integer,
  size,      // 64MiB
  duration,  // 10s
  choice,    // one of `values`
  text_list,
  text_map,
};

struct Setting {
  std::string_view path;  // `source.slot`; of a sink `sinks.*.kafka.topic`
  SettingType type;
  std::string_view default_value = {};  // empty: none, or an empty text, list or map
  std::string_view description = {};    // one sentence
  bool required = false;
  bool secret = false;             // never shown
  const TextRule* rule = nullptr;  // text: its form
  std::string_view values = {};    // choice: `a|b|c`
  // What this version can do. Empty: all; else `a|b` of the values, `0s` of a duration, `-`: the
  // setting can't be given at all.
  std::string_view available = {};
  std::string_view minimum = {};  // integer, size, duration: in the type's own notation
  std::string_view maximum = {};
};

// In the order in which they are shown; a section comes before what is in it.
std::span<const Setting> setting_table();

// The setting of a path as in the table; null: there is none.
const Setting* find_setting(std::string_view table_path);

// Those right below a section, the sink kinds below `sinks.*`; below "" the top level.
std::vector<const Setting*> settings_below(std::string_view section_path);

// The last name of a setting's path.
std::string_view name_of(const Setting& setting);

// `a|b|c` → a, b, c.
std::vector<std::string_view> alternatives(std::string_view list);

// Every setting with its type, default and description, as a Markdown table.
std::string settings_documentation();

}  // namespace pgcourier::config
