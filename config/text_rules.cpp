#include "config/text_rules.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pgcourier::config {
namespace {

constexpr std::size_t longest_name = 63;    // PostgreSQL's NAMEDATALEN - 1
constexpr std::size_t longest_topic = 249;  // Kafka's

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_word_character(char c) {
  return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= longest_name &&
         std::all_of(text.begin(), text.end(), is_word_character);
}

bool is_slot(std::string_view text) {
  return !text.empty() && text.size() <= longest_name &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || is_lower(c) || c == '_'; });
}

bool is_topic(std::string_view text) {
  constexpr auto placeholders = std::to_array<std::string_view>({"{name}", "{schema}", "{table}"});
  std::size_t parts = 0;
  while (!text.empty()) {
    std::size_t length = is_word_character(text.front()) ? 1 : 0;
    for (const std::string_view placeholder : placeholders) {
      if (text.starts_with(placeholder)) length = placeholder.size();
    }
    if (length == 0) return false;
    text.remove_prefix(length);
    ++parts;
  }
  return parts >= 1 && parts <= longest_topic;
}

bool is_listen(std::string_view text) {
  if (text.empty()) return true;
  const std::size_t colon = text.rfind(':');
  if (colon > 255) return false;  // npos too
  const std::string_view port = text.substr(colon + 1);
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit) &&
         text.find_first_of(" \t\r\n\f\v") == std::string_view::npos;
}

}  // namespace

constinit const TextRule word_rule = {"[A-Za-z0-9._-]{1,63}", is_word};
constinit const TextRule slot_rule = {"[a-z0-9_]{1,63}", is_slot};
constinit const TextRule topic_rule = {R"(([A-Za-z0-9._-]|\{(name|schema|table)\}){1,249})",
                                       is_topic};
constinit const TextRule listen_rule = {R"(|[^\s]{0,255}:[0-9]{1,5})", is_listen};

}  // namespace pgcourier::config
