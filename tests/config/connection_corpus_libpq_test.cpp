// Connection strings made to a plan, nearly right and wrong in one place: thousands a run, each
// read as libpq reads it.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/connection_keywords.hpp"
#include "tests/config/libpq_oracle.hpp"

namespace pgcourier::config {
namespace {

using Choices = std::vector<std::string_view>;

const Choices wrong_keywords = {"",         "Host",   "hos",     "hostt",    "tty",
                                "authtype", "ssl",    "jdbcUrl", "\xc3\xa9", "host\xff",
                                "'host'",   "ho\\st", "%68ost",  "#"};
const Choices values = {"a",    "''",    "'a b'", "5432",  "/tmp", "1",        "0",
                        "true", "a\\ b", "\\'",   "'\\''", "a'b",  "\xc3\xa9", "postgresql://h"};
const Choices wrong_values = {"", "'", "'a", "'a\\'", "\\", "'\\", "'a'b", "''''", "a b"};
const Choices escapes = {"%41", "%2F", "%2f", "%20", "%25", "%C3%A9",
                         "%ff", "%01", "%3D", "%26", "%2C"};
const Choices wrong_escapes = {"%",   "%4",  "%00", "%0", "%zz",
                               "%4g", "%g4", "% 1", "%%", "%\xc3\xa9"};
const Choices plain = {"a", "bc", "d-e", "1", "_", "."};
const Choices unescaped = {"\xc3\xa9", " ", "+", "'", "\\", "\"", "#", ";", "!", "\xff", "(", "*"};
const Choices hosts = {"localhost", "127.0.0.1", "%2Ftmp", "[::1]", "[fe80::1%25eth0]", "[a]"};
const Choices wrong_hosts = {"[",      "]",      "[]",      "[::1",  "::1",
                             "[::1]x", "x[::1]", "[[::1]]", "[%zz]", "[a,b]"};
const Choices ports = {"", "", ":", ":5432", ":1", ":a", ":%35", ":-1"};
const Choices wrong_schemes = {"postgresql:/",       "POSTGRES://",           "postgre://",  "",
                               "jdbc:postgresql://", "postgresql+psycopg://", " postgres://"};
const Choices seeds = {
    "host=a,b port=1,2 user='a b' password='it\\'s \\\\' dbname=d sslmode=verify-full",
    "user = u password = '' options = '-c a=b' application_name=x requiressl=1",
    "postgresql://u:p%40@h:1,[::1]:2,%2Frun/d%20b?sslmode=require&options=-c%20a%3Db",
    "postgres://u@/d?host=%2Ftmp&port=5433&ssl=true&target_session_attrs=read-write",
    "postgresql:///?service=s&passfile=/p&channel_binding=require&ssl=true",
    "postgres://a,b:2,:3/?connect_timeout=10&requiressl=0&hostaddr=1.1.1.1,2.2.2.2,"};

// Writes strings of its own choice, always the same ones for one seed.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  std::string key_values() {
    std::string text = edge();
    for (std::size_t left = below(5); left > 0; --left) {
      text += keyword();
      text += once_in(20) ? of({"", " ", "=="}) : of({"=", "=", " = ", "\t=", "\v=\f"});
      text += value();
      if (left == 1) break;
      text += once_in(20) ? of({"", ",", ";", "&", "\xc2\xa0"}) : of({" ", "\t", "\r\n"});
    }
    return text + edge();
  }

  std::string uri() {
    std::string text = once_in(30) ? of(wrong_schemes) : of({"postgresql://", "postgres://"});
    if (once_in(3)) text += part() + "@";
    if (once_in(3)) text += part() + ":" + part() + (once_in(9) ? of({"", "@@", ":x@"}) : "@");
    text += host_list();
    if (once_in(2)) text += once_in(9) ? of({"/", "//", "/a/b"}) : "/" + part();
    if (once_in(2)) text += parameters();
    return text;
  }

  // One that is accepted, with a byte or two put in, replaced or taken out, or a piece doubled.
  std::string mutated() {
    std::string text = of(seeds);
    for (std::size_t left = below(3); left > 0; --left) {
      const std::size_t at = below(text.size());
      const std::size_t kind = below(4);
      if (kind == 0) text.insert(at, 1, byte());
      if (kind == 1) text[at] = byte();
      if (kind == 2) text.erase(at, 1);
      if (kind == 3) text.insert(at, text.substr(at, 7));
    }
    return text;
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  bool once_in(std::size_t count) { return below(count) == 0; }
  std::string of(const Choices& choices) { return std::string(choices[below(choices.size())]); }

  char byte() {
    constexpr std::string_view special = "'\\ =\t\n\"%@:/?&#,[]0a";
    return once_in(2) ? special[below(special.size())] : static_cast<char>(1 + below(255));
  }

  std::string bytes() {
    std::string text;
    for (std::size_t left = below(12); left > 0; --left) {
      text += once_in(2) ? byte() : static_cast<char>('a' + below(6));
    }
    return text;
  }

  std::string edge() { return once_in(30) ? of({" ", "\n", "=", "'", "\\"}) : std::string(); }

  std::string quoted() {
    std::string text = "'";
    for (const char c : bytes()) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    return text + "'";
  }

  std::string keyword() {
    if (once_in(25)) return of(wrong_keywords);
    if (once_in(25)) return "requiressl";
    const auto known = connection_keywords();
    const ConnectionKeyword& keyword = known[below(known.size())];
    // The newer ones less often: most of all strings would be refused.
    return std::string(keyword.since > 15 && !once_in(5) ? "host" : keyword.name);
  }

  std::string value() {
    if (once_in(20)) return of(wrong_values);
    if (once_in(10)) return bytes();
    return once_in(3) ? quoted() : of(values);
  }

  // Letters, escapes, and now and then what should have been escaped.
  std::string part() {
    std::string text;
    for (std::size_t left = below(4); left > 0; --left) {
      if (once_in(30)) {
        text += of(wrong_escapes);
      } else if (once_in(12)) {
        text += of(unescaped);
      } else {
        text += once_in(3) ? of(escapes) : of(plain);
      }
    }
    return text;
  }

  std::string host() {
    if (once_in(30)) return of(wrong_hosts);
    return once_in(2) ? of(hosts) : part();
  }

  std::string host_list() {
    std::string text;
    for (std::size_t left = below(4); left > 0; --left) {
      text += host();
      text += once_in(40) ? ":1:2" : of(ports);
      if (left > 1) text += ',';
    }
    return text;
  }

  std::string parameter() {
    std::string text = once_in(9) ? of({"ssl", "s%73l", "us%65r"}) : keyword();
    text += once_in(30) ? of({"", "==", "%3D", "%00=", "%="}) : "=";
    return text + (once_in(3) ? of({"true", "tr%75e", "false", "1", ""}) : part());
  }

  std::string parameters() {
    std::string text = once_in(20) ? of({"", "&", "??"}) : "?";
    for (std::size_t left = below(4); left > 0; --left) {
      text += parameter();
      if (left > 1) text += once_in(20) ? of({"&&", ";", "?", ""}) : "&";
    }
    return text + (once_in(20) ? of({"&", "#x", "="}) : "");
  }

  std::mt19937_64 random_;
};

// A hundred seeds, each for many strings. Both verdicts must come up, else agreement says little.
void check_agreement(std::string (Maker::*make)()) {
  constexpr int strings_of_a_seed = 100;
  std::size_t accepted = 0, refused = 0;
  EXPECT_TRUE(rc::check([&] {
    Maker maker(*rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>()));
    for (int i = 0; i < strings_of_a_seed; ++i) {
      const std::string text = (maker.*make)();
      if (!is_comparable(text)) continue;
      const std::string ours = verdict_of_ours(text), libpqs = verdict_of_libpq(text);
      if (ours != libpqs) RC_FAIL("<" + text + "> ours: " + ours + " libpq's: " + libpqs);
      ++(ours == "refused" ? refused : accepted);
    }
  }));
  EXPECT_GT(accepted, 1000u);
  EXPECT_GT(refused, 1000u);
}

TEST(ConnectionCorpusBesideLibpq, AgreesOnKeysAndValues) { check_agreement(&Maker::key_values); }

TEST(ConnectionCorpusBesideLibpq, AgreesOnUris) { check_agreement(&Maker::uri); }

TEST(ConnectionCorpusBesideLibpq, AgreesOnMutatedStrings) { check_agreement(&Maker::mutated); }

TEST(ConnectionCorpusBesideLibpq, TakesWhatOnlyNewerLibpqsKnow) {
  for (const ConnectionKeyword& keyword : connection_keywords()) {
    const std::string name(keyword.name);
    for (const std::string& text : {name + "=x", "postgresql:///?" + name + "=x"}) {
      EXPECT_NO_THROW(parse_connection_string(text)) << text;
      EXPECT_EQ(verdict_of_libpq(text) == "refused", is_newer_than_libpq(name)) << text;
    }
  }
}

}  // namespace
}  // namespace pgcourier::config
