#include "config/document.hpp"

#include <gtest/gtest.h>

#include "config/settings.hpp"

namespace pgcourier::config {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_document(text, "f.yaml");
    return "parsed";
  } catch (const SettingsError& error) {
    return error.what();
  }
}

TEST(Document, KnowsWhereEachValueStands) {
  const Node root = parse_document("a:\n  b: [x, 'y']\n", "f.yaml");
  const Node* list = root.find("a")->find("b");
  ASSERT_EQ(list->items.size(), 2u);
  EXPECT_EQ(list->items[1].text, "y");
  EXPECT_EQ(list->items[1].origin, "f.yaml:2:10");
  EXPECT_EQ(root.find("a")->entries[0].key.origin, "f.yaml:2:3");
}

TEST(Document, RefusesADuplicateKeyWithBothPlaces) {
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"),
            "f.yaml:3:1: the key a is there twice, first at f.yaml:1:1");
  EXPECT_EQ(error_of("x: {a: 1, a: 2}\n"),
            "f.yaml:1:11: the key a is there twice, first at f.yaml:1:5");
}

TEST(Document, RefusesWhatIsNotOneYamlDocument) {
  EXPECT_EQ(error_of("a: [1\n").substr(0, 22), "f.yaml:2:1: not YAML: ");
  EXPECT_NE(error_of("a: b: c\n"), "parsed");
  EXPECT_NE(error_of("a: *nowhere\n"), "parsed");
  EXPECT_NE(error_of("a: 1\n---\nb: 2\n"), "parsed");
  EXPECT_EQ(error_of("[a]: 1\n"), "f.yaml:1:1: a key must be a plain word");
  EXPECT_NE(error_of("a: &x [*x]\n"), "parsed");
}

TEST(Document, BoundsWhatAliasesCanRepeat) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_NE(error_of(bomb).find("the document is too large"), std::string::npos);
}

TEST(Document, TakesAnUnquotedNullKeyForTheWordNull) {
  const Node root = parse_document("null: {}\n", "f.yaml");
  EXPECT_EQ(root.entries[0].key.name, "null");
}

TEST(Document, EmptyIsNull) {
  EXPECT_EQ(parse_document("", "f.yaml").kind, Node::Kind::null);
  EXPECT_EQ(parse_document("# nothing\n", "f.yaml").kind, Node::Kind::null);
}

TEST(Document, EmitsWhatParsesToTheSameTree) {
  const std::string text = "a: [x, \"null\", \"\", 'it: is']\nb: {}\nc: []\nd: ~\n";
  const std::string once = emit_document(parse_document(text, "f"));
  EXPECT_EQ(emit_document(parse_document(once, "f")), once);
  EXPECT_EQ(parse_document(once, "f").find("a")->items[1].text, "null");
  EXPECT_EQ(parse_document(once, "f").find("a")->items[3].text, "it: is");
}

}  // namespace
}  // namespace pgcourier::config
