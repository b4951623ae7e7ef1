#include "cdc/column_type.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pgcourier::cdc {
namespace {

constexpr std::uint32_t int4_oid = 23;
constexpr std::uint32_t text_oid = 25;
constexpr std::uint32_t int4_array_oid = 1007;

TypeDescription described(std::uint32_t oid, std::string name, char kind) {
  TypeDescription type;
  type.oid = oid;
  type.name = std::move(name);
  type.kind = kind;
  return type;
}

TypeDescription domain(std::uint32_t oid, std::uint32_t base_oid) {
  TypeDescription type = described(oid, "d" + std::to_string(oid), 'd');
  type.base_oid = base_oid;
  return type;
}

TypeDescription array(std::uint32_t oid, std::uint32_t element_oid, char delimiter = ',') {
  TypeDescription type = described(oid, "_" + std::to_string(oid), 'b');
  type.element_oid = element_oid;
  type.delimiter = delimiter;
  return type;
}

TypeDescription composite(std::uint32_t oid, std::vector<TypeDescription::Attribute> attributes) {
  TypeDescription type = described(oid, "c" + std::to_string(oid), 'c');
  type.attributes = std::move(attributes);
  return type;
}

TEST(BuiltInTypes, HaveTheFormsOfTheirTexts) {
  EXPECT_EQ(built_in_type(16)->form, TypeForm::boolean);
  EXPECT_EQ(built_in_type(17)->form, TypeForm::bytea);
  for (const std::uint32_t oid : {20U, 21U, 23U}) {
    EXPECT_EQ(built_in_type(oid)->form, TypeForm::integer) << oid;
  }
  EXPECT_EQ(built_in_type(700)->form, TypeForm::floating);
  EXPECT_EQ(built_in_type(701)->form, TypeForm::floating);
  EXPECT_EQ(built_in_type(114)->form, TypeForm::json);
  EXPECT_EQ(built_in_type(3802)->form, TypeForm::json);
  EXPECT_EQ(built_in_type(1114)->form, TypeForm::timestamp);
  EXPECT_EQ(built_in_type(1184)->form, TypeForm::timestamptz);
  // oid, int2vector, numeric, date, money, interval, uuid, int4multirange, xid8
  for (const std::uint32_t oid : {26U, 22U, 1700U, 1082U, 790U, 1186U, 2950U, 4451U, 5069U}) {
    EXPECT_EQ(built_in_type(oid)->form, TypeForm::text) << oid;
  }
}

TEST(BuiltInTypes, HaveArraysWithTheElementsDelimiter) {
  const ColumnType* ints = built_in_type(int4_array_oid);
  EXPECT_EQ(ints->form, TypeForm::array);
  EXPECT_EQ(ints->element, built_in_type(int4_oid));
  EXPECT_EQ(ints->delimiter, ',');
  const ColumnType* boxes = built_in_type(1020);
  EXPECT_EQ(boxes->element, built_in_type(603));
  EXPECT_EQ(boxes->delimiter, ';');
}

TEST(BuiltInTypes, KnowNoOthers) {
  for (const std::uint32_t oid : {0U, 1U, 15U, 71U, 83U, 2249U, 2276U, 9999U, 16384U, ~0U}) {
    EXPECT_EQ(built_in_type(oid), nullptr) << oid;
  }
}

TEST(TypeRegistry, KnowsBuiltInTypesAndNothingElseAtFirst) {
  const TypeRegistry types;
  EXPECT_EQ(types.find(int4_oid), built_in_type(int4_oid));
  EXPECT_EQ(types.find(16384), nullptr);
}

TEST(TypeRegistry, TakesEnumsRangesAndUnknownTypesAsText) {
  TypeRegistry types;
  types.add(std::vector{described(16384, "mood", 'e'), described(16385, "floatrange", 'r'),
                        described(16386, "floatmultirange", 'm'), described(16387, "ltree", 'b')});
  for (std::uint32_t oid = 16384; oid <= 16387; ++oid) {
    ASSERT_NE(types.find(oid), nullptr);
    EXPECT_EQ(types.find(oid)->form, TypeForm::text) << oid;
  }
}

TEST(TypeRegistry, KnowsHstoreByItsName) {
  TypeRegistry types;
  types.add(std::vector{described(16384, "hstore", 'b'), array(16385, 16384)});
  EXPECT_EQ(types.find(16384)->form, TypeForm::hstore);
  EXPECT_EQ(types.find(16385)->element, types.find(16384));
}

TEST(TypeRegistry, ResolvesDomainsToTheirBaseInAnyOrder) {
  TypeRegistry types;
  types.add(std::vector{domain(16386, 16385), domain(16385, 16384), domain(16384, int4_array_oid),
                        domain(16390, 16391), composite(16391, {{"a", 16384}})});
  EXPECT_EQ(types.find(16384), built_in_type(int4_array_oid));
  EXPECT_EQ(types.find(16385), built_in_type(int4_array_oid));
  EXPECT_EQ(types.find(16386), built_in_type(int4_array_oid));
  EXPECT_EQ(types.find(16390)->form, TypeForm::composite);
  EXPECT_EQ(types.find(16390)->fields[0].type, built_in_type(int4_array_oid));
}

TEST(TypeRegistry, MakesArraysOfDomainsArraysOfTheBase) {
  TypeRegistry types;
  types.add(std::vector{array(16385, 16384, ';'), domain(16384, int4_oid)});
  EXPECT_EQ(types.find(16385)->form, TypeForm::array);
  EXPECT_EQ(types.find(16385)->element, built_in_type(int4_oid));
  EXPECT_EQ(types.find(16385)->delimiter, ';');
}

TEST(TypeRegistry, LetsACompositeReferToWhatComesLaterAndToItself) {
  TypeRegistry types;
  types.add(std::vector{composite(16384, {{"id", int4_oid}, {"inner", 16385}, {"more", 16386}}),
                        composite(16385, {{"label", text_oid}}), array(16386, 16384)});
  const ColumnType* outer = types.find(16384);
  ASSERT_EQ(outer->fields.size(), 3U);
  EXPECT_EQ(outer->fields[0].name, "id");
  EXPECT_EQ(outer->fields[1].type, types.find(16385));
  EXPECT_EQ(outer->fields[2].type->element, outer);
}

TEST(TypeRegistry, TakesAReferenceToADroppedTypeAsText) {
  TypeRegistry types;
  types.add(
      std::vector{composite(16384, {{"gone", 20000}}), domain(16385, 20001), array(16386, 20002)});
  EXPECT_EQ(types.find(16384)->fields[0].type->form, TypeForm::text);
  EXPECT_EQ(types.find(16385)->form, TypeForm::text);
  EXPECT_EQ(types.find(16386)->element->form, TypeForm::text);
}

TEST(TypeRegistry, EndsOnDomainsInACircle) {
  TypeRegistry types;
  types.add(std::vector{domain(16384, 16385), domain(16385, 16384), domain(16386, 16386)});
  for (std::uint32_t oid = 16384; oid <= 16386; ++oid) {
    EXPECT_EQ(types.find(oid)->form, TypeForm::text) << oid;
  }
}

TEST(TypeRegistry, KeepsTypesWhereTheyAreWhenMoreCome) {
  TypeRegistry types;
  types.add(std::vector{described(16384, "mood", 'e')});
  const ColumnType* mood = types.find(16384);
  for (std::uint32_t oid = 16400; oid < 16800; ++oid) {
    types.add(std::vector{array(oid, 16384)});
  }
  EXPECT_EQ(types.find(16384), mood);
  EXPECT_EQ(types.find(16500)->element, mood);
}

}  // namespace
}  // namespace pgcourier::cdc
