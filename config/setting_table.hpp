// The one table of all settings. The check of the file, `config schema`, `config show`, the
// environment's names and the documentation of the defaults come from it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pgcourier::config {

enum class SettingType {
  section,           // a map of the settings below it
  section_or_false,  // the same, or `false`
  sinks,             // the list of sinks: each a map of one kind to its section
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
  std::string_view path;  // `source.slot`; in a sink `sinks.*.kafka.topic`
  SettingType type;
  std::string_view default_value;  // as YAML; empty: none
  std::string_view description;    // one sentence
  bool required = false;
  bool secret = false;          // never shown
  std::string_view pattern = {};  // text: a whole-match of characters, see `matches_pattern`
  std::string_view values = {};   // choice: `a|b|c`
  // What this version can do: empty: all; else `a|b` of the values (a duration: `0s`), or `-`: the
  // setting can't be given at all.
  std::string_view available = {};
  std::string_view minimum = {};  // integer, size, duration: in the type's own notation
  std::string_view maximum = {};
};

// In the order in which they are shown; a section comes before what is in it.
std::span<const Setting> setting_table();

// The setting of a path as in the table (sinks.*.kafka.topic); null: there is none.
const Setting* find_setting(std::string_view table_path);

// `sinks.0.kafka.topic` → `sinks.*.kafka.topic`; a key below a text_map → the map.
std::string table_path(std::string_view path);

// Every setting with its default and description, as Markdown.
std::string settings_documentation();

}  // namespace pgcourier::config
