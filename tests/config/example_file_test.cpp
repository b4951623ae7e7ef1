#include <gtest/gtest.h>

#include "tests/config/settings_text.hpp"

namespace pgcourier::config {
namespace {

TEST(ExampleFile, Loads) {
  const LoadedSettings loaded =
      load_settings(PROJECT_SOURCE_DIR "/packaging/pgcourier.yaml", overrides_of({}));
  EXPECT_EQ(loaded.warnings, std::vector<std::string>());
  EXPECT_EQ(loaded.settings.name, "shop");
  ASSERT_EQ(loaded.settings.sinks.size(), 1u);
  EXPECT_EQ(id_of(loaded.settings.sinks[0]), "files");
}

}  // namespace
}  // namespace pgcourier::config
