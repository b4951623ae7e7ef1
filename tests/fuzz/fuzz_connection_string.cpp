// Any connection string: parsed, resolved, and masked so that its password is gone.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/connection_string.hpp"
#include "config/mask_secrets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    ConnectionKeywords keywords = parse_connection_string(text);
    const ConnectionKeywords masked = parse_connection_string(mask_connection_string(text));
    for (const auto& [name, value] : keywords) {
      const bool secret = name.find("password") != std::string::npos ||
                          name.starts_with("scram_") || name == "oauth_client_secret";
      if (masked.at(name) != (secret ? "***" : value)) std::abort();
    }
    std::vector<std::string> warnings;
    const auto no_variable = [](const char*) -> std::optional<std::string> { return std::nullopt; };
    resolve_connection(keywords, std::nullopt, {no_variable, "", "user"}, warnings);
  } catch (const SettingsError&) {
  }
  return 0;
}
