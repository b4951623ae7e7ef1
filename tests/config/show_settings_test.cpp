#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/config/settings_text.hpp"

namespace pgcourier::config {
namespace {

TEST(ShowSettings, GivesEverySettingWithItsDefault) {
  const std::string shown = show_settings(load(minimal));
  EXPECT_EQ(shown.substr(0, shown.find("  create_publication")),
            "name: shop\n"
            "source:\n"
            "  url: postgresql://cdc@db/shop\n"
            "  publication: shop\n"
            "  slot: shop\n"
            "  create_slot: true\n");
  EXPECT_NE(shown.find("limits:\n  in_flight_bytes: 16MiB\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("sinks:\n  - stdout:\n      id: stdout\n"), std::string::npos) << shown;
}

TEST(ShowSettings, LoadsAgainToTheSame) {
  const std::string shown =
      show_settings(load(minimal, {}, {"http.listen=", "source.tables=[a.*]"}));
  EXPECT_EQ(show_settings(load(shown)), shown);
}

TEST(ShowSettings, MasksSecrets) {
  const std::filesystem::path secret =
      std::filesystem::temp_directory_path() / ("shown-" + std::to_string(::getpid()));
  std::ofstream(secret) << "hunter2\n";
  const std::string shown = show_settings(load(
      R"(name: shop
source:
  url: postgresql://cdc:${PASSWORD}@db/shop
  publication: shop
  slot: shop
  oauth_token_command: [/bin/token, "${file:)" +
          secret.string() + R"(}"]
sinks:
  - kafka:
      brokers: b
      properties:
        sasl.username: courier
        sasl.password: ${PASSWORD}
        ssl.key.pem: hunter2
        sasl.jaas.config: hunter2
        client.id: ${file:)" +
          secret.string() + "}\n",
      {{"PASSWORD", "hunter2"}}));
  std::filesystem::remove(secret);
  EXPECT_NE(shown.find("- /bin/token\n"), std::string::npos) << shown;
  const std::string token = show_settings(load(minimal, {}, {"source.oauth_token=hunter2"}));
  EXPECT_NE(token.find("oauth_token: \"***\"\n"), std::string::npos) << token;
  EXPECT_EQ(shown.find("hunter"), std::string::npos) << shown;
  EXPECT_NE(shown.find("url: postgresql://cdc:***@db/shop\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("sasl.username: courier\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("sasl.password: \"***\"\n"), std::string::npos) << shown;
}

}  // namespace
}  // namespace pgcourier::config
