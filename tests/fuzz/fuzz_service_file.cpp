// Any service file: the name of the service up to the first NUL, then the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/connection_keywords.hpp"
#include "config/service_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::config;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view service = input.substr(0, input.find('\0'));
  if (service.size() == input.size()) return 0;
  try {
    const auto found = find_service(input.substr(service.size() + 1), service, "/f");
    if (!found) return 0;
    for (const auto& [name, value] : *found) {
      const bool one_line = value.find_first_of(std::string_view("\n\0", 2)) == std::string::npos;
      if (!is_connection_keyword(name) || name == "service" || !one_line) std::abort();
    }
  } catch (const SettingsError&) {
  }
  return 0;
}
