#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "config/load_settings.hpp"
#include "config/setting_table.hpp"

namespace pgcourier::config {
namespace {

using nlohmann::json;

// The schema of a section, inside of what allows `false` too.
const json& section(const json& schema) {
  return schema.contains("anyOf") ? schema["anyOf"][0] : schema;
}

TEST(SettingsSchema, NamesEveryKeyOfTheTable) {
  const json schema = json::parse(settings_schema());
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  for (const Setting& setting : setting_table()) {
    const json* at = &schema;
    std::istringstream path{std::string(setting.path)};
    for (std::string step; std::getline(path, step, '.');) {
      const json& parent = section(*at);
      ASSERT_EQ(step == "*" || parent["additionalProperties"] == false, true) << setting.path;
      at = step == "*" ? &parent["items"] : &parent["properties"][step];
      ASSERT_TRUE(at->is_object()) << setting.path;
    }
    if (setting.path.ends_with('*')) continue;
    EXPECT_TRUE((*at)["description"].get<std::string>().starts_with(setting.description));
  }
}

TEST(SettingsSchema, SaysWhatIsRequiredAllowedAndDefault) {
  const json schema = json::parse(settings_schema());
  EXPECT_EQ(schema["required"], (json{"name", "sinks", "source"}));
  const json& source = schema["properties"]["source"];
  EXPECT_EQ(source["required"], (json{"url", "publication", "slot"}));
  EXPECT_EQ(source["properties"]["create_slot"]["default"], true);
  EXPECT_EQ(source["properties"]["binary"]["anyOf"][0], (json{{"const", false}}));
  EXPECT_EQ(source["properties"]["slot"]["pattern"], R"(^([a-z0-9_]{1,63})$|\$\{)");
  EXPECT_EQ(schema["properties"]["log"]["properties"]["level"]["anyOf"][0]["enum"],
            (json{"debug", "info", "warn", "error"}));
  const json& sink = schema["properties"]["sinks"]["items"];
  EXPECT_EQ(sink["maxProperties"], 1);
  EXPECT_EQ(sink["properties"].size(), 4u);
}

TEST(SettingTable, DescribesEverySettingInASentence) {
  const std::string documentation = settings_documentation();
  for (const Setting& setting : setting_table()) {
    EXPECT_TRUE(setting.description.ends_with('.')) << setting.path;
    EXPECT_NE(documentation.find("| `" + std::string(setting.path) + "` |"), std::string::npos);
  }
}

}  // namespace
}  // namespace pgcourier::config
