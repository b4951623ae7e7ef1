// Against what PostgreSQL 15 and 18 say themselves; recorded by tests/fixtures/native/*.sql.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "cdc/column_type.hpp"
#include "tests/sinks/encoding/samples.hpp"

namespace pgcourier::sinks::encoding {
namespace {

std::ifstream fixture(const std::string& name) {
  std::ifstream file(std::string(FIXTURES_DIRECTORY) + "/native/" + name);
  if (!file) throw std::runtime_error("no fixture " + name);
  return file;
}

std::vector<cdc::TypeDescription> described_types(const nlohmann::json& types) {
  std::vector<cdc::TypeDescription> described;
  for (const nlohmann::json& type : types) {
    cdc::TypeDescription& each = described.emplace_back();
    each.oid = type.at("oid");
    each.name = type.at("name");
    each.kind = type.at("kind").get<std::string>().at(0);
    each.base_oid = type.at("base");
    each.element_oid = type.at("element");
    if (type.at("delimiter").is_string()) {
      each.delimiter = type.at("delimiter").get<std::string>().at(0);
    }
    if (type.at("attributes").is_null()) continue;
    for (const nlohmann::json& attribute : type.at("attributes")) {
      each.attributes.push_back({attribute.at("name"), attribute.at("type")});
    }
  }
  return described;
}

TEST(ServerText, BecomesTheJsonThatTheServerGives) {
  std::ifstream file = fixture("values.jsonl");
  std::string line;
  std::getline(file, line);
  cdc::TypeRegistry types;
  types.add(described_types(nlohmann::json::parse(line).at("types")));
  std::size_t count = 0;
  while (std::getline(file, line)) {
    const nlohmann::json sample = nlohmann::json::parse(line);
    const std::string text = sample.at("text");
    const cdc::ColumnType* type = types.find(sample.at("type").get<std::uint32_t>());
    ASSERT_NE(type, nullptr) << line;
    const std::string json = tests::json_of(*type, text);
    EXPECT_EQ(nlohmann::json::parse(json), sample.at("json")) << line;
    EXPECT_EQ(json.find('\n'), std::string::npos);
    ++count;
  }
  EXPECT_GT(count, 140U);
}

TEST(ServerTypes, AreAllBuiltInButRowTypesAndPseudoTypes) {
  std::ifstream file = fixture("built_in_types.tsv");
  std::size_t count = 0;
  std::uint32_t oid = 0;
  std::uint32_t element = 0;
  std::string name;
  std::string kind;
  std::string delimiter;
  std::string is_array;
  while (file >> oid >> name >> kind >> element >> delimiter >> is_array) {
    const cdc::ColumnType* type = cdc::built_in_type(oid);
    const bool of_rows = is_array == "t" && cdc::built_in_type(element) == nullptr;
    if (kind == "c" || (kind == "p" && name != "cstring") || of_rows) {
      EXPECT_EQ(type, nullptr) << name;
      continue;
    }
    ASSERT_NE(type, nullptr) << name;
    ++count;
    if (is_array == "t") {
      EXPECT_EQ(type->form, cdc::TypeForm::array) << name;
      EXPECT_EQ(type->element, cdc::built_in_type(element)) << name;
      EXPECT_EQ(type->delimiter, delimiter.at(0)) << name;
    } else {
      EXPECT_NE(type->form, cdc::TypeForm::array) << name;
    }
  }
  EXPECT_GT(count, 150U);
}

}  // namespace
}  // namespace pgcourier::sinks::encoding
