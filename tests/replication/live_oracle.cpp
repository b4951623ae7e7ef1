#include "tests/replication/live_oracle.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pgcourier::replication::test {

std::string text_of(const Column& column) {
  return fmt::format("{} {} {} type {} size {} modifier {} {}", column.name,
                     column.of_table ? "of table" : "computed", column.number, column.type_oid,
                     column.type_size, column.type_modifier, column.binary ? "binary" : "text");
}

std::string text_of(std::optional<std::string_view> value) {
  return value ? fmt::format("'{}'", *value) : "NULL";
}

std::string text_of_fields(const std::vector<std::string>& fields) {
  return fmt::format("{}", fmt::join(fields, "|"));
}

}  // namespace pgcourier::replication::test
