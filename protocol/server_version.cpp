#include "protocol/server_version.hpp"

#include <charconv>

namespace pgcourier::protocol {
namespace {

// Takes a number off the front of `text`; -1 if there is none.
int take_number(std::string_view& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr int greatest = 9999;
  if (error != std::errc{} || number < 0 || number > greatest) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

int take_further_number(std::string_view& text) {
  if (!text.starts_with('.')) return -1;
  text.remove_prefix(1);
  return take_number(text);
}

}  // namespace

int server_version_number(std::string_view server_version) {
  const int major = take_number(server_version);
  if (major < 0) return 0;
  const int minor = take_further_number(server_version);
  if (major >= 10) return major * 10'000 + (minor < 0 ? 0 : minor);
  const int patch = take_further_number(server_version);  // 9.6.24 and before
  return major * 10'000 + (minor < 0 ? 0 : minor) * 100 + (patch < 0 ? 0 : patch);
}

}  // namespace pgcourier::protocol
