// Any settings file: loaded and shown, or refused with a SettingsError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "config/load_settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Would read whatever file the fuzzer names, a terminal too.
  if (text.find("file:") != std::string_view::npos) return 0;
  Overrides overrides;
  overrides.environment = [](const char* variable) -> std::optional<std::string> {
    if (std::string_view(variable) == "VAR") return "value";
    return std::nullopt;
  };
  try {
    const LoadedSettings loaded = load_settings_text(text, "f", overrides);
    if (show_settings(loaded).empty() || loaded.settings.sinks.empty()) std::abort();
  } catch (const SettingsError&) {
  }
  return 0;
}
