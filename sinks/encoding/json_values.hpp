// A column's value: from PostgreSQL's text to JSON, one way for each TypeForm (contract.md,
// "Events").
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/column_type.hpp"
#include "cdc/relation.hpp"
#include "sinks/encoding/text_buffer.hpp"

namespace pgcourier::sinks::encoding {

class QuotedTextReader;

// Keeps buffers for what must be unescaped before it can be written, so the steady state allocates
// nothing. One thread.
class JsonValues {
 public:
  JsonValues();

  // Appends the JSON of `text`, a value of `column`. Throws EncodingError, with part of the value
  // appended, if the text is not what the type allows. False: a composite that does not fit its
  // type's description, or none if `composites_are_text`, was given as a string.
  bool append(TextBuffer& out, const cdc::Relation& relation, const cdc::Column& column,
              std::string_view text, bool composites_are_text = false);

 private:
  void append_value(TextBuffer& out, const cdc::ColumnType& type, std::string_view text);
  void append_boolean(TextBuffer& out, std::string_view text) const;
  void append_integer(TextBuffer& out, std::string_view text) const;
  void append_floating(TextBuffer& out, std::string_view text) const;
  void append_json(TextBuffer& out, std::string_view text) const;
  void append_bytea(TextBuffer& out, std::string_view text) const;

  // json_nested_values.cpp
  void append_array(TextBuffer& out, const cdc::ColumnType& type, std::string_view text);
  void append_element(TextBuffer& out, const cdc::ColumnType& type, QuotedTextReader& reader);
  void append_composite(TextBuffer& out, const cdc::ColumnType& type, std::string_view text);
  void append_fields(TextBuffer& out, const cdc::ColumnType& type, std::string_view text);
  std::size_t count_fields(std::string_view text);
  void append_hstore(TextBuffer& out, std::string_view text);

  [[noreturn]] void fail(cdc::TypeForm form, std::string_view reason) const;

  // The value in hand, for errors.
  const cdc::Relation* relation_ = nullptr;
  const cdc::Column* column_ = nullptr;
  // One buffer for each level of values within values; depth_ is the level in hand.
  std::vector<std::string> scratch_;
  std::size_t depth_ = 0;
  bool composites_are_text_ = false;
  bool fits_ = true;
};

}  // namespace pgcourier::sinks::encoding
