// For when a value cannot be encoded.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "cdc/column_type.hpp"
#include "cdc/relation.hpp"

namespace pgcourier::cdc {

constexpr std::string_view name_of(TypeForm form) {
  switch (form) {
    case TypeForm::text:
      return "text";
    case TypeForm::boolean:
      return "boolean";
    case TypeForm::integer:
      return "integer";
    case TypeForm::floating:
      return "floating";
    case TypeForm::json:
      return "json";
    case TypeForm::bytea:
      return "bytea";
    case TypeForm::timestamp:
      return "timestamp";
    case TypeForm::timestamptz:
      return "timestamptz";
    case TypeForm::array:
      return "array";
    case TypeForm::composite:
      return "composite";
    case TypeForm::hstore:
      return "hstore";
  }
  return "unknown";
}

// What the server sent is not what the column's type allows, or a row is not what its relation
// says. what() names the table, the column, the form and the reason, never the value:
// "public.orders.tags (array): an element has no closing quote".
class EncodingError : public std::runtime_error {
 public:
  EncodingError(const Relation& relation, std::string_view reason)
      : std::runtime_error(name_of(relation) + ": " + std::string(reason)) {}

  // `form` is that of the innermost value at fault: an array's element rather than the array.
  EncodingError(const Relation& relation, const Column& column, TypeForm form,
                std::string_view reason)
      : std::runtime_error(name_of(relation) + "." + column.name + " (" +
                           std::string(cdc::name_of(form)) + "): " + std::string(reason)) {}

 private:
  static std::string name_of(const Relation& relation) {
    return relation.schema + "." + relation.table;
  }
};

}  // namespace pgcourier::cdc
