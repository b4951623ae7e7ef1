#include "sinks/file_line.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using protocol::Lsn;
using tests::message_line;
using tests::row_line;

std::optional<LineFacts> read(std::string_view line) {
  LineReader reader;
  reader.feed(line);
  return reader.finish();
}

TEST(LineReader, SeesWhereATransactionEnds) {
  const auto inside = read(row_line(0x50, 0, 0));
  ASSERT_TRUE(inside);
  EXPECT_TRUE(inside->in_transaction);
  EXPECT_EQ(inside->commit_lsn, Lsn{0x50});
  EXPECT_FALSE(inside->end_lsn);

  const auto last = read(row_line(0x50, 1, 0x60));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->end_lsn, Lsn{0x60});
}

TEST(LineReader, TakesANonTransactionalMessageForAUnitOfItsOwn) {
  const auto message = read(message_line(0x70));
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->in_transaction);
  EXPECT_EQ(message->end_lsn, Lsn{0x70});
}

TEST(LineReader, IgnoresMembersOfTheSameNameInsideARow) {
  const auto facts =
      read(R"({"op":"insert","after":{"last":true,"end_lsn":"0/9","commit_lsn":"0/9","seq":"no"},)"
           R"("commit_lsn":"0/5","seq":0})");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->commit_lsn, Lsn{5});
  EXPECT_FALSE(facts->end_lsn);
}

TEST(LineReader, RejectsEveryTruncationOfALine) {
  const auto line = row_line(0x50, 1, 0x60);
  for (std::size_t length = 0; length < line.size(); ++length) {
    EXPECT_FALSE(read(line.substr(0, length))) << length << " bytes";
  }
}

TEST(LineReader, RejectsALineWithANulByteAnywhere) {
  const auto line = row_line(0x50, 1, 0x60);
  for (std::size_t at = 0; at < line.size(); ++at) {
    auto torn = line;
    torn[at] = '\0';
    EXPECT_FALSE(read(torn)) << "at byte " << at;
  }
}

// What PostgreSQL's json allows and other parsers refuse must not be taken for damage: it would cut
// confirmed data.
TEST(LineReader, AcceptsNumbersOfAnyRangeLoneSurrogatesAndAnyBytes) {
  for (const std::string value :
       {"1e999999", "-0.0", R"("\ud800")", R"("\u0000")", "\"\xff\xfe\"", "[[[[[{ } ]]]], 1 ]"}) {
    EXPECT_TRUE(
        read(R"({"op":"insert","after":{"v":)" + value + R"(},"commit_lsn":"0/5","seq":0})"))
        << value;
  }
  const std::string deep(20000, '[');
  EXPECT_TRUE(read(R"({"op":"insert","after":)" + deep + std::string(20000, ']') +
                   R"(,"commit_lsn":"0/5","seq":0})"));
}

TEST(LineReader, RejectsWhatIsNotJson) {
  for (const std::string value :
       {"01", "1.", ".5", "1e", "+1", "tru", "nulL", "[1,]", "{\"a\"}", "{\"a\":1,}", "\"\\x\"",
        "\"\\u12g4\"", "\"\t\"", "[}", "-", "1 2"}) {
    EXPECT_FALSE(read(R"({"op":"insert","after":)" + value + R"(,"commit_lsn":"0/5","seq":0})"))
        << value;
  }
  EXPECT_FALSE(read(row_line(1, 0, 0) + "}"));
  EXPECT_FALSE(read(R"({"op":"insert","commit_lsn":"0/5"})"));
  EXPECT_FALSE(read(R"({"op":"insert","seq":0})"));
  EXPECT_FALSE(read(R"({"op":"insert","commit_lsn":"0/5","seq":0,"last":true})"));
}

RC_GTEST_PROP(LineReader, GivesTheSameForALineInAnyPieces, (std::string note)) {
  const auto line = row_line(
      0x50, 1, 0x60,
      nlohmann::json(note).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(1));
  const auto cut = *rc::gen::inRange<std::size_t>(0, line.size() + 1);
  LineReader reader;
  reader.feed(std::string_view(line).substr(0, cut));
  reader.feed(std::string_view(line).substr(cut));
  const auto facts = reader.finish();
  const auto whole = read(line);
  RC_ASSERT(facts.has_value() == whole.has_value());
}

RC_GTEST_PROP(LineReader, JudgesChangedLinesAsAnotherParserDoes, ()) {
  auto line = row_line(0x50, 1, 0x60);
  const auto at = *rc::gen::inRange<std::size_t>(0, line.size());
  line[at] = *rc::gen::elementOf(std::string("{}[],:\"\\0123.-+eE tfn\x01z"));
  // Only whether it is JSON is compared; a changed member may make it no line of ours.
  if (read(line)) RC_ASSERT(nlohmann::json::accept(line));
  auto parsed = nlohmann::json::parse(line, nullptr, false);
  const bool ours = parsed.is_object() && parsed["commit_lsn"] == "0/50" &&
                    parsed["end_lsn"] == "0/60" && parsed["op"] == "insert" &&
                    parsed["seq"].is_number() && parsed["last"] == true;
  if (ours) RC_ASSERT(read(line).has_value());
}

}  // namespace
}  // namespace pgcourier::sinks
