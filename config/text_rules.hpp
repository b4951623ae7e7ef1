// The forms of texts: a regular expression for messages and the JSON Schema, and its check.
// std::regex is not used: it recurses with the length of the text.
#pragma once

#include <string_view>

namespace pgcourier::config {

struct TextRule {
  std::string_view pattern;  // ECMAScript, of the whole
  bool (*matches)(std::string_view text);
};

extern const TextRule word_rule;    // a pipeline, a sink
extern const TextRule slot_rule;    // a replication slot
extern const TextRule topic_rule;   // a topic with {name}, {schema}, {table}
extern const TextRule listen_rule;  // host:port, or nothing

}  // namespace pgcourier::config
