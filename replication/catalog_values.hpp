// Typed values out of the texts of a catalog query's row.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/protocol_error.hpp"

namespace pgcourier::replication {

using QueryParameters = std::vector<std::optional<std::string>>;

// NULL is the empty text, as in SlotInfo and its like.
inline std::string text_value(const std::optional<std::string>& value) {
  return value.value_or("");
}

inline bool bool_value(const std::optional<std::string>& value) { return value == "t"; }

inline char char_value(const std::optional<std::string>& value, std::string_view column) {
  if (!value || value->empty()) throw protocol::ProtocolError(column, "expected one character");
  return value->front();
}

template <typename T>
T integer_value(const std::optional<std::string>& value, std::string_view column) {
  T number{};
  const char* end = value ? value->data() + value->size() : nullptr;
  if (value) {
    const auto [stopped, error] = std::from_chars(value->data(), end, number);
    if (error == std::errc{} && stopped == end) return number;
  }
  throw protocol::ProtocolError(column, "expected a number");
}

}  // namespace pgcourier::replication
