#include "sinks/encoding/json_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "protocol/base64.hpp"
#include "tests/support/hex.hpp"

namespace pgcourier::sinks::encoding {
namespace {

std::string json_string(std::string_view text) {
  TextBuffer out;
  append_json_string(out, text);
  return std::string(out.view());
}

std::string embedded(std::string_view json) {
  TextBuffer out;
  append_embedded_json(out, json);
  return std::string(out.view());
}

bool is_utf8(std::string_view text) {
  try {
    (void)nlohmann::json(std::string(text)).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

// The length of the character at the front, by trying; 0 if there is none.
std::size_t character_length(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (is_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

// The escaper as it would be written without a thought of speed.
std::string plain_json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    const std::string escaped = nlohmann::json(std::string(text.substr(0, length))).dump();
    out += escaped.substr(1, escaped.size() - 2);
    text.remove_prefix(length);
  }
  return out + "\"";
}

// `text` without what isn't UTF-8.
std::string valid_part(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    valid += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return valid;
}

// Mostly plain text, with what needs care strewn in, so that it meets every place in a word.
rc::Gen<std::string> tricky_text() {
  const auto piece = rc::gen::weightedOneOf<std::string>({
      {6, rc::gen::container<std::string>(rc::gen::inRange<char>(0x20, 0x7F))},
      {1, rc::gen::container<std::string>(rc::gen::arbitrary<char>())},
      {2, rc::gen::element<std::string>("\"", "\\", "\n", "\r", "\t", "\b", "\f", "\x01", "\x1F",
                                        "\x7F", std::string(1, '\0'), "é", "日本", "\U0001F600",
                                        "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82",
                                        "\xFF", "\x80", "\xF0\x80\x80\x80", "\xE0\x80\x80")},
  });
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& each : pieces) text += each;
                        return text;
                      });
}

TEST(JsonString, EscapesWhatJsonForbids) {
  EXPECT_EQ(json_string("a \"b\" \\ /"), R"("a \"b\" \\ /")");
  EXPECT_EQ(json_string("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\x01\x1f", 3)), R"("\u0000\u0001\u001f")");
  EXPECT_EQ(json_string("\x7F"), "\"\x7F\"");
}

TEST(JsonString, LeavesUtf8AsItIs) {
  EXPECT_EQ(json_string("Größe 日本 \U0001F600"), "\"Größe 日本 \U0001F600\"");
}

TEST(JsonString, ReplacesEachByteThatIsNotUtf8) {
  EXPECT_EQ(json_string("a\xFF"
                        "b"),
            "\"a\uFFFD"
            "b\"");
  EXPECT_EQ(json_string("\xC0\x80"), "\"\uFFFD\uFFFD\"");                      // overlong
  EXPECT_EQ(json_string("\xED\xA0\x80"), "\"\uFFFD\uFFFD\uFFFD\"");            // a surrogate
  EXPECT_EQ(json_string("\xF4\x90\x80\x80"), "\"\uFFFD\uFFFD\uFFFD\uFFFD\"");  // too large
  EXPECT_EQ(json_string("\xE2\x82"), "\"\uFFFD\uFFFD\"");                      // cut off
}

TEST(JsonString, FindsASpecialByteAtEveryPlace) {
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      for (const char special : {'"', '\\', '\n', '\x1F', '\x80'}) {
        std::string text(size, '!');  // next to the quote
        text[place] = special;
        const tests::ExactBuffer exact(text);
        ASSERT_EQ(json_string(exact.view()), plain_json_string(text)) << size << " " << place;
      }
    }
  }
}

RC_GTEST_PROP(JsonString, IsWhatThePlainEscaperWrites, ()) {
  const std::string text = *tricky_text();
  const tests::ExactBuffer exact(text);
  RC_ASSERT(json_string(exact.view()) == plain_json_string(text));
}

RC_GTEST_PROP(JsonString, GivesUtf8BackWhenParsed, ()) {
  const std::string text = valid_part(*tricky_text());
  RC_ASSERT(nlohmann::json::parse(json_string(text)).get<std::string>() == text);
}

TEST(EmbeddedJson, StaysOnOneLine) {
  EXPECT_EQ(embedded("{\n  \"a\":\r\n\t[1, 2.50],\n \"a\": 1e400 }"),
            "{   \"a\":   [1, 2.50],  \"a\": 1e400 }");
}

TEST(EmbeddedJson, KeepsEscapesQuotesAndCharacters) {
  EXPECT_EQ(embedded(R"({"k\"\n\u0000":"日本"})"), R"({"k\"\n\u0000":"日本"})");
  EXPECT_EQ(embedded("\"\xFF\""), "\"\uFFFD\"");
}

RC_GTEST_PROP(EmbeddedJson, MeansTheSame, ()) {
  // Small: a hundred texts of a hundred pieces each take minutes to make, not to check.
  const auto texts =
      *rc::gen::resize(12, rc::gen::container<std::vector<std::string>>(tricky_text()));
  nlohmann::json document = nlohmann::json::array();
  for (const std::string& text : texts) {
    document.push_back({{"k", valid_part(text)}, {"n", text.size()}});
  }
  const std::string out = embedded(document.dump(2));
  RC_ASSERT(out.find('\n') == std::string::npos);
  RC_ASSERT((nlohmann::json::parse(out) == document));
}

TEST(JsonNumber, IsTakenByTheGrammar) {
  for (const char* number : {"0", "-0", "7", "-12", "1.5", "0.001", "1e+20", "1E-05", "-1.25e10",
                             "9223372036854775807"}) {
    EXPECT_TRUE(is_json_number(number)) << number;
  }
  for (const char* number : {"", "-", "+1", "01", ".5", "1.", "1e", "1e+", "NaN", "Infinity", "0x1",
                             "1 ", " 1", "1,", "--1", "1.e5"}) {
    EXPECT_FALSE(is_json_number(number)) << number;
  }
}

TEST(Lsn, IsTwoHexadecimalHalves) {
  TextBuffer out;
  append_lsn(out, protocol::Lsn{0x16B374D848});
  out += ' ';
  append_lsn(out, protocol::Lsn{0});
  out += ' ';
  append_lsn(out, protocol::Lsn{0xFFFFFFFFFFFFFFFF});
  EXPECT_EQ(out.view(), "16/B374D848 0/0 FFFFFFFF/FFFFFFFF");
}

RC_GTEST_PROP(Base64, IsTheSameFromBytesAndFromHex, (const std::string& bytes)) {
  constexpr std::string_view lower = "0123456789abcdef";
  constexpr std::string_view upper = "0123456789ABCDEF";
  std::string hex;
  for (const char byte : bytes) {
    hex += lower[static_cast<unsigned char>(byte) >> 4];
    hex += upper[static_cast<unsigned char>(byte) & 15];
  }
  TextBuffer from_bytes;
  from_bytes = "before ";
  append_base64(from_bytes, bytes);
  TextBuffer from_hex;
  from_hex = "before ";
  RC_ASSERT(append_base64_of_hex(from_hex, hex));
  RC_ASSERT(from_bytes.view() == "before " + protocol::encode_base64(bytes));
  RC_ASSERT(from_hex.view() == from_bytes.view());
}

TEST(Base64, RefusesWhatIsNotHex) {
  for (const char* hex : {"0", "0g", "zz", "012", "00 0", "é"}) {
    TextBuffer out;
    out = "before";
    EXPECT_FALSE(append_base64_of_hex(out, hex)) << hex;
    EXPECT_EQ(out.view(), "before");
  }
}

}  // namespace
}  // namespace pgcourier::sinks::encoding
