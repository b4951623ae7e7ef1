// JSON Schema (draft 2020-12) of the settings file, from the setting table.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/load_settings.hpp"
#include "config/setting_table.hpp"

namespace pgcourier::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view replaced = R"(\$\{)";  // a text with ${…} may stand for any value

Json text_schema(std::string_view pattern) {
  Json schema = {{"type", "string"}};
  if (!pattern.empty()) schema["pattern"] = fmt::format("^({})$|{}", pattern, replaced);
  return schema;
}

Json or_replaced(Json schema) {
  return {{"anyOf", {std::move(schema), {{"type", "string"}, {"pattern", replaced}}}}};
}

Json choice_schema(const Setting& setting) {
  Json values = Json::array();
  for (const std::string_view value :
       alternatives(setting.available.empty() ? setting.values : setting.available)) {
    values.push_back(value);
    // YAML 1.1 readers take these words for booleans.
    if (value == "on" || value == "off") values.push_back(value == "on");
  }
  return or_replaced({{"enum", values}});
}

Json boolean_schema(const Setting& setting) {
  if (setting.available.empty()) return or_replaced({{"type", "boolean"}});
  return or_replaced({{"const", setting.available == "true"}});
}

Json integer_schema(const Setting& setting) {
  const auto number = [](std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  Json schema = {{"type", "integer"}};
  if (!setting.minimum.empty()) schema["minimum"] = number(setting.minimum);
  if (!setting.maximum.empty()) schema["maximum"] = number(setting.maximum);
  return or_replaced(std::move(schema));
}

Json quantity_schema(const Setting& setting, std::string_view units) {
  if (setting.available == "0s") return {{"enum", {"0s", 0}}};
  return {{"anyOf",
           {text_schema(fmt::format("0|[0-9]+({})", units)), {{"type", "integer"}, {"const", 0}}}}};
}

Json section_schema(std::string_view path);

Json value_schema(const Setting& setting) {
  switch (setting.type) {
    case SettingType::section:
    case SettingType::sink:
      return section_schema(setting.path);
    case SettingType::section_or_false:
      return {{"anyOf", {section_schema(setting.path), {{"const", false}}}}};
    case SettingType::sinks:
      return {{"type", "array"}, {"minItems", 1}, {"items", section_schema("sinks.*")}};
    case SettingType::text:
      return text_schema(setting.rule == nullptr ? "" : setting.rule->pattern);
    case SettingType::boolean:
      return boolean_schema(setting);
    case SettingType::integer:
      return integer_schema(setting);
    case SettingType::size:
      return quantity_schema(setting, "B|KiB|MiB|GiB|TiB");
    case SettingType::duration:
      return quantity_schema(setting, "ms|s|m|h|d");
    case SettingType::choice:
      return choice_schema(setting);
    case SettingType::text_list:
      return {{"type", "array"}, {"items", {{"type", "string"}, {"minLength", 1}}}};
    case SettingType::text_map:
      return {{"type", "object"},
              {"additionalProperties", {{"type", {"string", "number", "boolean"}}}}};
  }
  return {};
}

// A default in the type that YAML gives it.
Json default_json(const Setting& setting) {
  if (setting.type == SettingType::boolean) return setting.default_value == "true";
  if (setting.type == SettingType::integer) {
    return Json::parse(setting.default_value);
  }
  return setting.default_value;
}

Json setting_schema(const Setting& setting) {
  Json schema = value_schema(setting);
  schema["description"] = setting.description;
  if (!setting.default_value.empty()) schema["default"] = default_json(setting);
  if (setting.available == "-") {
    schema["description"] =
        fmt::format("{} Not available in this version of pgcourier.", setting.description);
    schema["not"] = Json::object();
  }
  return schema;
}

Json section_schema(std::string_view path) {
  Json properties = Json::object(), required = Json::array();
  for (const Setting* setting : settings_below(path)) {
    properties[std::string(name_of(*setting))] = setting_schema(*setting);
    if (setting->required) required.push_back(name_of(*setting));
  }
  const bool is_sink = path == "sinks.*";
  // A section of which all is optional may be empty: `stdout:`.
  const bool may_be_null = !is_sink && !path.empty() && required.empty();
  Json schema;
  schema["type"] = may_be_null ? Json{"object", "null"} : Json("object");
  schema["properties"] = std::move(properties);
  schema["additionalProperties"] = false;
  if (!required.empty()) schema["required"] = std::move(required);
  if (is_sink) schema["minProperties"] = schema["maxProperties"] = 1;
  return schema;
}

}  // namespace

std::string settings_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "Settings of pgcourier"}};
  Json root = section_schema("");
  root["required"].push_back("source");
  schema.update(root);
  return schema.dump(2) + "\n";
}

}  // namespace pgcourier::config
