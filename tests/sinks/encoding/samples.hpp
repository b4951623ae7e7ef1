// Relations, rows and types for the tests of encoders.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/column_type.hpp"
#include "cdc/relation.hpp"
#include "protocol/pgoutput_messages.hpp"
#include "sinks/encoding/json_values.hpp"

namespace pgcourier::tests {

constexpr std::uint32_t bool_oid = 16;
constexpr std::uint32_t bytea_oid = 17;
constexpr std::uint32_t int8_oid = 20;
constexpr std::uint32_t text_oid = 25;
constexpr std::uint32_t json_oid = 114;
constexpr std::uint32_t float8_oid = 701;
constexpr std::uint32_t timestamp_oid = 1114;
constexpr std::uint32_t timestamptz_oid = 1184;
constexpr std::uint32_t numeric_oid = 1700;

inline cdc::Column column(std::string name, std::uint32_t type_oid, bool in_identity = false) {
  return {std::move(name), type_oid, -1, cdc::built_in_type(type_oid), in_identity};
}

inline protocol::ColumnValue text(std::string_view bytes) {
  return {protocol::ValueKind::text, bytes};
}
inline protocol::ColumnValue null() { return {protocol::ValueKind::null, {}}; }
inline protocol::ColumnValue unchanged() { return {protocol::ValueKind::unchanged_toast, {}}; }

using Values = std::vector<protocol::ColumnValue>;

// The JSON of one value of `type` in the column public.t.c.
inline std::string json_of(const cdc::ColumnType& type, std::string_view value) {
  cdc::Relation relation;
  relation.schema = "public";
  relation.table = "t";
  const cdc::Column described{"c", 0, -1, &type, false};
  sinks::encoding::TextBuffer out;
  sinks::encoding::JsonValues().append(out, relation, described, value);
  return std::string(out.view());
}

inline std::string json_of(std::uint32_t type_oid, std::string_view value) {
  return json_of(*cdc::built_in_type(type_oid), value);
}

}  // namespace pgcourier::tests
