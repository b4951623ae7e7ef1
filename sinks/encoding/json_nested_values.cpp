// Values with values in them: arrays (array_out), composites (record_out), hstore (hstore_out).
#include <array>

#include "cdc/encoding_error.hpp"
#include "sinks/encoding/json_text.hpp"
#include "sinks/encoding/json_values.hpp"
#include "sinks/encoding/quoted_text.hpp"

namespace pgcourier::sinks::encoding {

using cdc::TypeForm;

// {a,NULL,"b \"c\""}, {{1,2},{3,4}}, [0:2]={…}: lower bounds are dropped, JSON has none.
void JsonValues::append_array(TextBuffer& out, const cdc::ColumnType& type, std::string_view text) {
  QuotedTextReader reader(text);
  if (reader.next_is('[')) {
    reader.until("=");
    if (!reader.skip('=')) fail(TypeForm::array, "bounds without '='");
  }
  if (!reader.next_is('{')) fail(TypeForm::array, "no opening brace");

  std::size_t open = 0;
  bool after_value = false;
  do {
    if (!after_value && reader.skip('{')) {
      out += '[';
      ++open;
      after_value = reader.next_is('}');  // {}: a value no longer has to come
    } else if (!after_value) {
      append_element(out, type, reader);
      after_value = true;
    } else if (reader.skip('}')) {
      out += ']';
      --open;
    } else if (reader.skip(type.delimiter)) {
      out += ',';
      after_value = false;
    } else {
      fail(TypeForm::array, "neither delimiter nor closing brace after a value");
    }
  } while (open != 0);
  if (!reader.empty()) fail(TypeForm::array, "something follows the closing brace");
}

void JsonValues::append_element(TextBuffer& out, const cdc::ColumnType& type,
                                QuotedTextReader& reader) {
  if (reader.next_is('"')) {
    const auto element = reader.quoted(scratch_[depth_ - 1], false);
    if (!element) fail(TypeForm::array, "an element has no closing quote");
    append_value(out, *type.element, *element);
    return;
  }
  const std::array<char, 3> stops{type.delimiter, '{', '}'};
  const std::string_view element = reader.until({stops.data(), stops.size()});
  if (element.empty()) fail(TypeForm::array, "an element is missing");
  if (element == "NULL") {
    out += "null";
  } else {
    append_value(out, *type.element, element);
  }
}

// (a,,"b ""c"""): nothing between commas is NULL, "" is an empty string.
//
// The text has no names: those of the catalog are right only if the type was not altered between
// the row and the look at the catalog. Where that is not sure, or where the text does not fit, the
// text itself, as a string, is all that loses nothing.
void JsonValues::append_composite(TextBuffer& out, const cdc::ColumnType& type,
                                  std::string_view text) {
  const std::size_t before = out.size();
  const std::size_t depth = depth_;
  const bool no_fields = type.fields.empty() && text == "()";
  if (!composites_are_text_ && (no_fields || count_fields(text) == type.fields.size())) {
    try {
      return append_fields(out, type, text);
    } catch (const cdc::EncodingError&) {
      out.cut(before);
      depth_ = depth;
    }
  }
  append_json_string(out, text);
  fits_ = false;
}

void JsonValues::append_fields(TextBuffer& out, const cdc::ColumnType& type,
                               std::string_view text) {
  QuotedTextReader reader(text);
  reader.skip('(');
  out += '{';
  for (const cdc::ColumnType::Field& field : type.fields) {
    if (&field != &type.fields.front()) out += ',';
    append_json_string(out, field.name);
    out += ':';
    if (reader.next_is('"')) {
      append_value(out, *field.type, *reader.quoted(scratch_[depth_ - 1], true));
    } else if (const std::string_view value = reader.until(",)"); !value.empty()) {
      append_value(out, *field.type, value);
    } else {
      out += "null";
    }
    reader.skip(',');
  }
  out += '}';
}

// Fails unless `text` is a whole composite.
std::size_t JsonValues::count_fields(std::string_view text) {
  QuotedTextReader reader(text);
  if (!reader.skip('(')) fail(TypeForm::composite, "no opening parenthesis");
  std::size_t count = 0;
  do {
    ++count;
    if (!reader.next_is('"')) {
      reader.until(",)");
    } else if (!reader.quoted(scratch_[depth_ - 1], true)) {
      fail(TypeForm::composite, "a field has no closing quote");
    }
  } while (reader.skip(','));
  if (!reader.skip(')')) fail(TypeForm::composite, "no closing parenthesis after a field");
  if (!reader.empty()) fail(TypeForm::composite, "something follows the closing parenthesis");
  return count;
}

// "k"=>"v", "n"=>NULL
void JsonValues::append_hstore(TextBuffer& out, std::string_view text) {
  QuotedTextReader reader(text);
  const auto append_quoted = [&] {
    if (!reader.next_is('"')) fail(TypeForm::hstore, "no opening quote");
    const auto quoted = reader.quoted(scratch_[depth_ - 1], false);
    if (!quoted) fail(TypeForm::hstore, "no closing quote");
    append_json_string(out, *quoted);
  };
  out += '{';
  while (!reader.empty()) {
    append_quoted();
    if (!reader.skip("=>")) fail(TypeForm::hstore, "no => after a key");
    out += ':';
    if (reader.skip("NULL")) {
      out += "null";
    } else {
      append_quoted();
    }
    if (reader.empty()) break;
    if (!reader.skip(", ") || reader.empty()) fail(TypeForm::hstore, "no pair after a value");
    out += ',';
  }
  out += '}';
}

}  // namespace pgcourier::sinks::encoding
