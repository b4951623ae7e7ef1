// Which of librdkafka's properties the user may not set, and why (delivery.md 13).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgcourier::config {

// Empty: the property may be set to that value; else the reason it may not, one sentence.
std::optional<std::string> refused_kafka_property(std::string_view name, std::string_view value);

// Whether its value is a secret, to be masked wherever it would be shown.
bool is_secret_kafka_property(std::string_view name);

}  // namespace pgcourier::config
