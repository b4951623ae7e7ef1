// Values without values in them.
#include "sinks/encoding/json_values.hpp"

#include <charconv>

#include "cdc/encoding_error.hpp"
#include "sinks/encoding/json_text.hpp"

namespace pgcourier::sinks::encoding {
namespace {

using cdc::TypeForm;

// PostgreSQL doubles the quotes at each level, so not even a text of 4 GiB goes deeper.
constexpr std::size_t max_depth = 32;

// 2026-11-22 10:00:00.5 → 2026-11-22T10:00:00.5. infinity has no blank and stays as it is.
void append_with_t(TextBuffer& out, std::string_view text) {
  const std::size_t blank = text.find(' ');
  append_json_string_part(out, text.substr(0, blank));
  if (blank == std::string_view::npos) return;
  out += 'T';
  append_json_string_part(out, text.substr(blank + 1));
}

void append_timestamp(TextBuffer& out, std::string_view text) {
  out += '"';
  append_with_t(out, text);
  out += '"';
}

// The same, and +00, which stands at the end or before " BC", becomes Z.
void append_timestamptz(TextBuffer& out, std::string_view text) {
  constexpr std::string_view utc = "+00";
  constexpr std::string_view before_christ = " BC";
  const std::string_view era = text.ends_with(before_christ) ? before_christ : std::string_view();
  text.remove_suffix(era.size());
  const bool is_utc = text.ends_with(utc);
  if (is_utc) text.remove_suffix(utc.size());
  out += '"';
  append_with_t(out, text);
  if (is_utc) out += 'Z';
  out += era;
  out += '"';
}

// Of a number of JSON: 1e516 is one, and readers make infinity or an error of it.
bool is_in_range(std::string_view number) {
  constexpr std::size_t longest = 24;  // -2.2250738585072014e-308
  if (number.size() > longest) return false;
  if (number.find_first_of("eE") == std::string_view::npos) return true;
  double value = 0;
  return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc();
}

}  // namespace

JsonValues::JsonValues() : scratch_(max_depth) {}

bool JsonValues::append(TextBuffer& out, const cdc::Relation& relation, const cdc::Column& column,
                        std::string_view text, bool composites_are_text) {
  relation_ = &relation;
  column_ = &column;
  depth_ = 0;
  composites_are_text_ = composites_are_text;
  fits_ = true;
  append_value(out, *column.type, text);
  return fits_;
}

void JsonValues::append_value(TextBuffer& out, const cdc::ColumnType& type, std::string_view text) {
  switch (type.form) {
    case TypeForm::text:
      return append_json_string(out, text);
    case TypeForm::boolean:
      return append_boolean(out, text);
    case TypeForm::integer:
      return append_integer(out, text);
    case TypeForm::floating:
      return append_floating(out, text);
    case TypeForm::json:
      return append_json(out, text);
    case TypeForm::bytea:
      return append_bytea(out, text);
    case TypeForm::timestamp:
      return append_timestamp(out, text);
    case TypeForm::timestamptz:
      return append_timestamptz(out, text);
    case TypeForm::array:
    case TypeForm::composite:
    case TypeForm::hstore:
      break;
  }
  if (depth_ == max_depth) fail(type.form, "values are nested too deep");
  ++depth_;
  if (type.form == TypeForm::array) {
    append_array(out, type, text);
  } else if (type.form == TypeForm::composite) {
    append_composite(out, type, text);
  } else {
    append_hstore(out, text);
  }
  --depth_;
}

void JsonValues::append_boolean(TextBuffer& out, std::string_view text) const {
  if (text == "t") {
    out += "true";
  } else if (text == "f") {
    out += "false";
  } else {
    fail(TypeForm::boolean, "neither t nor f");
  }
}

void JsonValues::append_integer(TextBuffer& out, std::string_view text) const {
  if (!is_json_number(text)) fail(TypeForm::integer, "not a number");
  if (!is_in_range(text)) fail(TypeForm::integer, "no type has such a number");
  out += text;
}

void JsonValues::append_floating(TextBuffer& out, std::string_view text) const {
  if (is_json_number(text)) {
    if (!is_in_range(text)) fail(TypeForm::floating, "no type has such a number");
    out += text;
  } else if (text == "NaN" || text == "Infinity" || text == "-Infinity") {
    append_json_string(out, text);
  } else {
    fail(TypeForm::floating, "not a number");
  }
}

void JsonValues::append_json(TextBuffer& out, std::string_view text) const {
  if (text.empty()) fail(TypeForm::json, "empty");
  append_embedded_json(out, text);
}

void JsonValues::append_bytea(TextBuffer& out, std::string_view text) const {
  constexpr std::string_view hex_mark = "\\x";
  out += '"';
  if (!text.starts_with(hex_mark) || !append_base64_of_hex(out, text.substr(hex_mark.size()))) {
    fail(TypeForm::bytea, "not in hex format");
  }
  out += '"';
}

void JsonValues::fail(TypeForm form, std::string_view reason) const {
  throw cdc::EncodingError(*relation_, *column_, form, reason);
}

}  // namespace pgcourier::sinks::encoding
