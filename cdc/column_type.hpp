// What a column's type means for an encoder: which of a few forms its text takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pgcourier::cdc {

// The form of a type's text under the session settings pinned by replication/ (DateStyle ISO,
// IntervalStyle iso_8601, TimeZone UTC, bytea_output hex, extra_float_digits 1).
enum class TypeForm : std::uint8_t {
  text,         // everything not below, enums and ranges included
  boolean,      // t, f
  integer,      // int2, int4, int8
  floating,     // float4, float8; NaN, Infinity, -Infinity
  json,         // json, jsonb
  bytea,        // \x and hex
  timestamp,    // 2026-11-22 10:00:00.5; infinity; … BC
  timestamptz,  // 2026-11-22 10:00:00.5+00
  array,        // {a,NULL,"b c"}, [0:2]={…}
  composite,    // (a,,"b c")
  hstore,       // "k"=>"v", "n"=>NULL
};

// One type, domains resolved to their base. Owned by a TypeRegistry (or static, for built-in ones);
// pointers to other types live as long.
struct ColumnType {
  struct Field {
    std::string name;
    const ColumnType* type = nullptr;
  };

  TypeForm form = TypeForm::text;
  const ColumnType* element = nullptr;  // of an array
  char delimiter = ',';                 // between an array's elements; ';' for box
  std::vector<Field> fields;            // of a composite, dropped attributes left out
};

// One row of pg_type, as far as it matters here.
struct TypeDescription {
  struct Attribute {
    std::string name;
    std::uint32_t type_oid = 0;
    bool operator==(const Attribute&) const = default;
  };
  bool operator==(const TypeDescription&) const = default;

  std::uint32_t oid = 0;
  std::string name;                   // "hstore" of an extension is known by its name
  char kind = 'b';                    // typtype: b, c, d, e, m, p, r
  std::uint32_t base_oid = 0;         // of a domain
  std::uint32_t element_oid = 0;      // of a true array (typsubscript is array_subscript_handler)
  char delimiter = ',';               // the element type's typdelim
  std::vector<Attribute> attributes;  // of a composite
};

// The types of one session, by OID. User types can be dropped and made anew, so a registry lives
// no longer than a session.
class TypeRegistry {
 public:
  // The type, or nullptr if it is neither built in nor described so far.
  const ColumnType* find(std::uint32_t oid) const;

  // Adds types in any order; what they refer to must be built in, known, or in `types` itself.
  // A reference to anything else (a type dropped since) counts as text. If all are described as
  // they were, nothing changes; else find() gives new types, and the old ones stay as they are.
  void add(std::span<const TypeDescription> types);

  // What all of them take; it never falls.
  std::size_t memory_bytes() const { return memory_bytes_; }

 private:
  std::deque<ColumnType> types_;
  std::unordered_map<std::uint32_t, TypeDescription> described_;
  std::unordered_map<std::uint32_t, const ColumnType*> by_oid_;
  std::size_t memory_bytes_ = 0;
};

// nullptr unless `oid` is one of pg_type.dat's, arrays included: those never change.
const ColumnType* built_in_type(std::uint32_t oid);

}  // namespace pgcourier::cdc
