// Arrays, composites and hstore, against formatters written after array_out(), record_out() and
// hstore_out().
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "cdc/encoding_error.hpp"
#include "sinks/encoding/json_values.hpp"
#include "tests/sinks/encoding/samples.hpp"

namespace pgcourier::sinks::encoding {
namespace {

using tests::json_of;

constexpr std::uint32_t box_array_oid = 1020;
constexpr std::uint32_t int4_array_oid = 1007;
constexpr std::uint32_t text_array_oid = 1009;
constexpr std::uint32_t bytea_array_oid = 1001;
constexpr std::uint32_t timestamptz_array_oid = 1185;
constexpr std::uint32_t json_array_oid = 199;

const cdc::ColumnType& built_in(std::uint32_t oid) { return *cdc::built_in_type(oid); }

cdc::ColumnType composite(std::vector<cdc::ColumnType::Field> fields) {
  return {cdc::TypeForm::composite, nullptr, ',', std::move(fields)};
}

cdc::ColumnType array_of(const cdc::ColumnType& element) {
  return {cdc::TypeForm::array, &element, ',', {}};
}

const cdc::ColumnType hstore{cdc::TypeForm::hstore, nullptr, ',', {}};

std::string error_of(const cdc::ColumnType& type, std::string_view value) {
  try {
    return "no error: " + json_of(type, value);
  } catch (const cdc::EncodingError& error) {
    return error.what();
  }
}

TEST(Arrays, AreJsonArraysOfTheElementForm) {
  EXPECT_EQ(json_of(int4_array_oid, "{1,NULL,-3}"), "[1,null,-3]");
  EXPECT_EQ(json_of(text_array_oid, R"({a,NULL,"NULL","b \"c\" \\","",null})"),
            R"(["a",null,"NULL","b \"c\" \\","","null"])");
  EXPECT_EQ(json_of(bytea_array_oid, R"({"\\x00ff10"})"), R"(["AP8Q"])");
  EXPECT_EQ(json_of(timestamptz_array_oid, R"({"2026-11-22 10:00:00+00",infinity})"),
            R"(["2026-11-22T10:00:00Z","infinity"])");
  EXPECT_EQ(json_of(json_array_oid, R"({"{\"a\": [1]}",1,NULL,"null"})"),
            R"([{"a": [1]},1,null,null])");
}

TEST(Arrays, MayBeEmptyOrNested) {
  EXPECT_EQ(json_of(int4_array_oid, "{}"), "[]");
  EXPECT_EQ(json_of(int4_array_oid, "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
  EXPECT_EQ(json_of(int4_array_oid, "{{{1},{NULL}}}"), "[[[1],[null]]]");
}

TEST(Arrays, LoseTheirLowerBounds) {
  EXPECT_EQ(json_of(int4_array_oid, "[0:2]={1,2,3}"), "[1,2,3]");
  EXPECT_EQ(json_of(int4_array_oid, "[-1:0][2:3]={{1,2},{3,4}}"), "[[1,2],[3,4]]");
}

TEST(Arrays, OfBoxesAreSeparatedBySemicolons) {
  EXPECT_EQ(json_of(box_array_oid, "{(1,1),(0,0);(3,3),(2,2)}"),
            R"x(["(1,1),(0,0)","(3,3),(2,2)"])x");
}

TEST(Arrays, ThatAreMalformedAreErrors) {
  const cdc::ColumnType& array = built_in(text_array_oid);
  for (const char* text : {"",      "a",      "{",        "{a",     "{a,",    "{a,}",
                           "{,a}",  "{a}}",   "{a} ",     "{\"a}",  "{\"a\\", "{\"a\"b}",
                           "[0:1]", "[0:1]=", "[0:1]{a}", "{a{b}}", "{{a},b", "{\"a\"\"b\"}",
                           "}",     "{}{}"}) {
    EXPECT_TRUE(error_of(array, text).starts_with("public.t.c (array): ")) << text;
  }
  EXPECT_EQ(error_of(built_in(int4_array_oid), "{1,x}"), "public.t.c (integer): not a number");
}

TEST(Composites, AreObjectsByFieldName) {
  const cdc::ColumnType pair =
      composite({{"a", &built_in(tests::int8_oid)}, {"b \"q\"", &built_in(tests::text_oid)}});
  EXPECT_EQ(json_of(pair, R"((1,"b ""c"" \\"))"), R"({"a":1,"b \"q\"":"b \"c\" \\"})");
  EXPECT_EQ(json_of(pair, "(,)"), R"({"a":null,"b \"q\"":null})");
  EXPECT_EQ(json_of(pair, R"((,""))"), R"({"a":null,"b \"q\"":""})");
  EXPECT_EQ(json_of(composite({{"a", &built_in(tests::int8_oid)}}), "()"), R"({"a":null})");
  EXPECT_EQ(json_of(composite({}), "()"), "{}");
}

TEST(Composites, NestInArraysAndEachOther) {
  const cdc::ColumnType inner =
      composite({{"n", &built_in(tests::int8_oid)}, {"tags", &built_in(text_array_oid)}});
  const cdc::ColumnType inners = array_of(inner);
  const cdc::ColumnType outer = composite({{"one", &inner}, {"many", &inners}});
  // As PostgreSQL 15 writes row(row(1, array['a', 'b c']), array[row(2, array['x"y']), null]).
  constexpr std::string_view sent =
      R"x(("(1,""{a,""""b c""""}"")","{""(2,\\""{\\""\\""x\\\\\\\\\\""\\""y\\""\\""}\\"")"",NULL}"))x";
  EXPECT_EQ(json_of(outer, sent),
            R"({"one":{"n":1,"tags":["a","b c"]},"many":[{"n":2,"tags":["x\"y"]},null]})");
}

TEST(Composites, WithOtherFieldsThanTheTypeAreTheirText) {
  const cdc::ColumnType pair =
      composite({{"a", &built_in(tests::int8_oid)}, {"b", &built_in(tests::text_oid)}});
  EXPECT_EQ(json_of(pair, "(1)"), R"x("(1)")x");
  EXPECT_EQ(json_of(pair, R"x((x,2,"c d"))x"), R"x("(x,2,\"c d\")")x");
}

TEST(Composites, WithAFieldThatItsTypeDoesNotAllowAreTheirText) {
  const cdc::ColumnType pair =
      composite({{"a", &built_in(tests::text_oid)}, {"b", &built_in(tests::int8_oid)}});
  EXPECT_EQ(json_of(pair, "(x,y)"), R"x("(x,y)")x");
  const cdc::ColumnType outer = composite({{"one", &pair}, {"n", &built_in(tests::int8_oid)}});
  EXPECT_EQ(json_of(outer, R"x(("(x,y)",1))x"), R"x({"one":"(x,y)","n":1})x");
  EXPECT_EQ(json_of(outer, R"x(("(x,1)",y))x"), R"x("(\"(x,1)\",y)")x");
  EXPECT_EQ(json_of(outer, "(x,1)"), R"x("(x,1)")x");
}

TEST(Composites, FromBeforeAnAlterationAreTheirTextAtAnyDepth) {
  const cdc::ColumnType pair =
      composite({{"a", &built_in(tests::text_oid)}, {"b", &built_in(tests::text_oid)}});
  cdc::ColumnType pairs;
  pairs.form = cdc::TypeForm::array;
  pairs.element = &pair;
  const cdc::Relation relation;
  const cdc::Column described{"c", 0, -1, &pairs, false};
  TextBuffer out;
  JsonValues values;
  EXPECT_FALSE(values.append(out, relation, described, R"x({"(x,y)"})x", true));
  EXPECT_TRUE(values.append(out, relation, described, R"x({"(x,y)"})x", false));
  EXPECT_EQ(out.view(), R"x(["(x,y)"][{"a":"x","b":"y"}])x");
}

TEST(Composites, ThatAreMalformedAreErrors) {
  const cdc::ColumnType pair =
      composite({{"a", &built_in(tests::text_oid)}, {"b", &built_in(tests::text_oid)}});
  for (const char* text : {"", "1,2", "(1,2", "(1,\"2)", "(1,\"2\"x)", "(1,2)x", "(1,\"2\\"}) {
    EXPECT_TRUE(error_of(pair, text).starts_with("public.t.c (composite): ")) << text;
  }
}

TEST(Composites, MayContainThemselvesThroughTheirTypes) {
  cdc::ColumnType self = composite({});
  self.fields.push_back({"self", &self});
  EXPECT_EQ(json_of(self, R"x(("(""()"")"))x"), R"({"self":{"self":{"self":null}}})");
}

TEST(Composites, MayNestDeep) {
  std::vector<cdc::ColumnType> levels(16);
  const cdc::ColumnType* type = &built_in(tests::text_oid);
  std::string text = "x";
  std::string expected = R"("x")";
  for (cdc::ColumnType& level : levels) {
    level = composite({{"f", type}});
    type = &level;
    std::string doubled;  // so the text doubles at each level
    for (const char c : text) {
      doubled.append(c == '"' || c == '\\' ? 2 : 1, c);
    }
    text = "(\"" + doubled + "\")";
    expected = "{\"f\":" + expected + "}";
  }
  EXPECT_EQ(json_of(*type, text), expected);
}

TEST(Hstore, IsAnObjectOfStringsAndNulls) {
  EXPECT_EQ(json_of(hstore, ""), "{}");
  EXPECT_EQ(json_of(hstore, R"("k"=>"v", "n"=>NULL, "q\"=>"=>"\\", ""=>"")"),
            R"({"k":"v","n":null,"q\"=>":"\\","":""})");
}

TEST(Hstore, ThatIsMalformedIsAnError) {
  for (const char* text : {"k=>v", "\"k\"", "\"k\"=>", "\"k\"=>v", "\"k\"=>\"v\",",
                           "\"k\"=>\"v\", ", "\"k\"=>NULLx", "\"k", "\"k\"=>\"v\"\"l\"=>NULL"}) {
    EXPECT_TRUE(error_of(hstore, text).starts_with("public.t.c (hstore): ")) << text;
  }
}

// --- What PostgreSQL's output functions do ----------------------------------------------------

using Value = std::optional<std::string>;

std::string escaped(const std::string& text, std::string_view specials, bool doubled) {
  std::string out = "\"";
  for (const char c : text) {
    if (specials.find(c) != std::string_view::npos) out += doubled ? c : '\\';
    out += c;
  }
  return out + "\"";
}

bool has_any(const std::string& text, std::string_view bytes) {
  return text.find_first_of(bytes) != std::string::npos;
}

std::string array_out(const std::vector<Value>& values) {
  std::string out;
  for (const Value& value : values) {
    out += out.empty() ? "" : ",";
    std::string upper = value.value_or("NULL");
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const bool quote =
        value && (value->empty() || upper == "NULL" || has_any(*value, "\"\\{},\t\n\r\v\f "));
    out += quote ? escaped(*value, "\"\\", false) : value.value_or("NULL");
  }
  return "{" + out + "}";
}

std::string record_out(const std::vector<Value>& values) {
  std::string out;
  for (const Value& value : values) {
    if (&value != &values.front()) out += ",";
    if (!value) continue;
    const bool quote = value->empty() || has_any(*value, "\"\\(),\t\n\r\v\f ");
    out += quote ? escaped(*value, "\"\\", true) : *value;
  }
  return "(" + out + ")";
}

std::string hstore_out(const std::map<std::string, Value>& values) {
  std::string out;
  for (const auto& [key, value] : values) {
    out += out.empty() ? "" : ", ";
    out += escaped(key, "\"\\", false) + "=>";
    out += value ? escaped(*value, "\"\\", false) : "NULL";
  }
  return out;
}

nlohmann::json json_value(const Value& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

rc::Gen<std::string> piece() {
  return rc::gen::container<std::string>(
      rc::gen::weightedOneOf<char>({{1, rc::gen::inRange<char>(1, 0x7F)},
                                    {2, rc::gen::elementOf(std::string("\"\\{}(),= >NULnul;"))}}));
}

rc::Gen<Value> value_or_null() {
  return rc::gen::oneOf(
      rc::gen::map(piece(), [](std::string text) { return Value(std::move(text)); }),
      rc::gen::just(Value()));
}

RC_GTEST_PROP(Arrays, ComeBack, ()) {
  const auto values = *rc::gen::container<std::vector<Value>>(value_or_null());
  nlohmann::json expected = nlohmann::json::array();
  for (const Value& value : values) expected.push_back(json_value(value));
  RC_ASSERT((nlohmann::json::parse(json_of(text_array_oid, array_out(values))) == expected));
}

RC_GTEST_PROP(Hstore, ComesBack, ()) {
  const auto values = *rc::gen::container<std::map<std::string, Value>>(piece(), value_or_null());
  nlohmann::json expected = nlohmann::json::object();
  for (const auto& [key, value] : values) expected[key] = json_value(value);
  RC_ASSERT((nlohmann::json::parse(json_of(hstore, hstore_out(values))) == expected));
}

RC_GTEST_PROP(Composites, ComeBackThroughArraysOfComposites, ()) {
  const auto rows = *rc::gen::container<std::vector<std::vector<Value>>>(
      rc::gen::container<std::vector<Value>>(3, value_or_null()));
  const cdc::ColumnType& text = built_in(tests::text_oid);
  const cdc::ColumnType row_type = composite({{"a", &text}, {"b", &text}, {"c", &text}});
  const cdc::ColumnType rows_type = array_of(row_type);
  const cdc::ColumnType outer_type = composite({{"n", &text}, {"rows", &rows_type}});
  nlohmann::json expected = nlohmann::json::array();
  std::vector<Value> texts;
  for (const std::vector<Value>& row : rows) {
    texts.push_back(record_out(row));
    expected.push_back(
        {{"a", json_value(row[0])}, {"b", json_value(row[1])}, {"c", json_value(row[2])}});
  }
  const std::string json = json_of(outer_type, record_out({Value(), array_out(texts)}));
  RC_ASSERT((nlohmann::json::parse(json) == nlohmann::json({{"n", nullptr}, {"rows", expected}})));
}

RC_GTEST_PROP(NestedValues, AreJsonOrAnErrorWhateverTheTextIs, ()) {
  const std::string text = *piece();
  const cdc::ColumnType& texts = built_in(text_array_oid);
  const cdc::ColumnType pair = composite({{"a", &texts}, {"b", &hstore}});
  const cdc::ColumnType pairs = array_of(pair);
  for (const std::string& tried : {text, "{" + text + "}", "(" + text + ")", "\"" + text}) {
    for (const cdc::ColumnType* type : {&texts, &pair, &pairs, &hstore}) {
      try {
        RC_ASSERT(nlohmann::json::accept(json_of(*type, tried)));
      } catch (const cdc::EncodingError&) {
      }
    }
  }
}

}  // namespace
}  // namespace pgcourier::sinks::encoding
