#include "sinks/kafka_topic_names.hpp"

#include <array>
#include <utility>

namespace pgcourier::sinks {
namespace {

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string topic_name(std::string_view pattern, std::string_view name, std::string_view schema,
                       std::string_view table) {
  const auto placeholders = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"{name}", name}, {"{schema}", schema}, {"{table}", table}});
  std::string topic;
  while (!pattern.empty()) {
    bool replaced = false;
    for (const auto& [placeholder, text] : placeholders) {
      if (!pattern.starts_with(placeholder)) continue;
      topic += text;
      pattern.remove_prefix(placeholder.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    topic += pattern.front();
    pattern.remove_prefix(1);
  }
  for (char& c : topic) {
    if (!allowed(c)) c = '_';
  }
  return topic;
}

std::string topic_name_problem(std::string_view topic) {
  constexpr std::size_t longest = 249;  // org.apache.kafka.common.internals.Topic
  if (topic.empty()) return "a topic's name can't be empty";
  if (topic == "." || topic == "..") return "a topic can't be named '" + std::string(topic) + "'";
  if (topic.size() > longest) {
    return "a topic's name has at most 249 characters, '" + std::string(topic) + "' has " +
           std::to_string(topic.size());
  }
  return {};
}

std::string position_topic_name(std::string_view name) { return std::string(name) + ".__position"; }

std::string message_topic_name(std::string_view name) { return std::string(name) + ".message"; }

std::string dead_letter_topic_name(std::string_view name) {
  return std::string(name) + ".dead_letter";
}

std::string outcome_topic_name(std::string_view name) { return std::string(name) + ".transaction"; }

}  // namespace pgcourier::sinks
