// Which topic a table's events go to.
#pragma once

#include <string>
#include <string_view>

namespace pgcourier::sinks {

// {name}, {schema} and {table} of `pattern` replaced; what Kafka doesn't allow in a topic's name
// becomes `_`.
std::string topic_name(std::string_view pattern, std::string_view name, std::string_view schema,
                       std::string_view table);

// Why Kafka would refuse the name (longer than 249 characters, empty, "." or ".."); empty: it
// doesn't.
std::string topic_name_problem(std::string_view topic);

// Topics of the pipeline itself.
std::string position_topic_name(std::string_view name);  // the bookmarks: delivery.md 8
std::string message_topic_name(std::string_view name);   // logical decoding messages
std::string dead_letter_topic_name(std::string_view name);
std::string outcome_topic_name(std::string_view name);  // of prepared transactions

}  // namespace pgcourier::sinks
