// From pg_type's rows to the forms of types.
#include "cdc/column_type.hpp"

#include <algorithm>
#include <cstddef>

#include "cdc/held_bytes.hpp"

namespace pgcourier::cdc {
namespace {

const ColumnType text_type;

// Described, and as what it means.
std::size_t memory_of(const TypeDescription& type) {
  std::size_t bytes = sizeof(TypeDescription) + sizeof(ColumnType) + held_bytes(type.name);
  for (const auto& attribute : type.attributes) {
    bytes += sizeof(attribute) + sizeof(ColumnType::Field) + 2 * held_bytes(attribute.name);
  }
  return bytes;
}

}  // namespace

const ColumnType* TypeRegistry::find(std::uint32_t oid) const {
  if (const ColumnType* built_in = built_in_type(oid)) return built_in;
  const auto known = by_oid_.find(oid);
  return known == by_oid_.end() ? nullptr : known->second;
}

void TypeRegistry::add(std::span<const TypeDescription> types) {
  const auto is_known = [this](const TypeDescription& type) {
    const auto known = described_.find(type.oid);
    return known != described_.end() && known->second == type;
  };
  if (std::all_of(types.begin(), types.end(), is_known)) return;
  for (const TypeDescription& type : types) {
    described_[type.oid] = type;
    memory_bytes_ += memory_of(type);
  }

  // First every type gets its place, so that the second pass can refer to those further down, and
  // to itself through an array.
  const std::size_t first = types_.size();
  for (const TypeDescription& type : types) {
    types_.emplace_back();
    by_oid_[type.oid] = &types_.back();
  }

  // A domain's place stands empty: its OID leads to the base. A chain is no longer than the list,
  // so one pass a level settles it whatever the order.
  for (std::size_t level = 0; level < types.size(); ++level) {
    bool changed = false;
    for (const TypeDescription& type : types) {
      if (type.kind != 'd') continue;
      const ColumnType* base = find(type.base_oid);
      if (base == nullptr) base = &text_type;
      changed = changed || by_oid_[type.oid] != base;
      by_oid_[type.oid] = base;
    }
    if (!changed) break;
  }

  const auto find_or_text = [this](std::uint32_t oid) {
    const ColumnType* type = find(oid);
    return type == nullptr ? &text_type : type;
  };
  for (std::size_t i = 0; i < types.size(); ++i) {
    const TypeDescription& type = types[i];
    ColumnType& place = types_[first + i];
    if (type.kind == 'c') {
      place.form = TypeForm::composite;
      for (const TypeDescription::Attribute& attribute : type.attributes) {
        place.fields.push_back({attribute.name, find_or_text(attribute.type_oid)});
      }
    } else if (type.element_oid != 0) {
      place.form = TypeForm::array;
      place.element = find_or_text(type.element_oid);
      place.delimiter = type.delimiter;
    } else if (type.kind == 'b' && type.name == "hstore") {
      place.form = TypeForm::hstore;
    }
  }
}

}  // namespace pgcourier::cdc
