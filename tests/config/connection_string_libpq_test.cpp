// libpq is the oracle: for any string PQconninfoParse and parse_connection_string give the same
// verdict and the same values.
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "config/connection_keywords.hpp"
#include "tests/config/libpq_oracle.hpp"

namespace pgcourier::config {
namespace {

TEST(ConnectionStringBesideLibpq, IsBesideTheLibpqAskedFor) {
  const char* wanted = std::getenv("PGCOURIER_TEST_LIBPQ");
  if (wanted != nullptr) {
    EXPECT_EQ(std::to_string(libpq_major()), wanted);
  }
}

TEST(ConnectionStringBesideLibpq, AgreesOnWhatPeopleWrite) {
  for (const char* text : {"",
                           " ",
                           "host=db",
                           "host = db port= 5432",
                           "host=db port",
                           "=x",
                           "host==x",
                           "host='a b'",
                           "host='a\\'b'",
                           "host='",
                           "host='\\",
                           "host=a\\",
                           "host=\\",
                           "host=a\\ b",
                           "host=''",
                           "host=a'b'c",
                           "host='a'port=1",
                           "host='a' port=1",
                           "host=a host=b",
                           "HOST=a",
                           "hos=a",
                           "ssl=true",
                           "requiressl=1",
                           "requiressl=0",
                           "requiressl=",
                           "host\t=\na\vport\f=\r1",
                           "host a",
                           "host a=b",
                           "password=a=b=c",
                           "postgresql:/db",
                           "Postgresql://db",
                           "postgres://",
                           "postgresql://",
                           "postgresql:///",
                           "postgresql:///db",
                           "postgresql://?",
                           "postgresql:///?",
                           "postgresql://h",
                           "postgresql://h:1",
                           "postgresql://h:",
                           "postgresql://:1",
                           "postgresql://h:1:2",
                           "postgresql://h:/d",
                           "postgresql://u@",
                           "postgresql://u@h",
                           "postgresql://@h",
                           "postgresql://:@h",
                           "postgresql://:p@h",
                           "postgresql://u:@h",
                           "postgresql://u:p:q@h",
                           "postgresql://u:p@q@h",
                           "postgresql://u/p@h",
                           "postgresql://u?p@h",
                           "postgresql://a,b",
                           "postgresql://a:1,b:2/d",
                           "postgresql://a,b:2",
                           "postgresql://,",
                           "postgresql://a,/d",
                           "postgresql://[::1]",
                           "postgresql://[::1]:1/d",
                           "postgresql://[::1],h",
                           "postgresql://[::1",
                           "postgresql://[]",
                           "postgresql://[::1]x",
                           "postgresql://[::1]?user=u",
                           "postgresql://[a/b]",
                           "postgresql://[a]:b]",
                           "postgresql://%2Ftmp/d",
                           "postgresql://a%2Cb",
                           "postgresql://%",
                           "postgresql://%4",
                           "postgresql://%zz",
                           "postgresql://%00",
                           "postgresql://h/%64",
                           "postgresql://h/d/e",
                           "postgresql://h/d?user=u",
                           "postgresql://h/d?user=u&port=1",
                           "postgresql://h/d?user",
                           "postgresql://h/d?user=",
                           "postgresql://h/d?user=a=b",
                           "postgresql://h/d?=a",
                           "postgresql://h/d?&",
                           "postgresql://h?&",
                           "postgresql://h/d?user=a&",
                           "postgresql://h/d?user=a&&port=1",
                           "postgresql://h/d?us%65r=a",
                           "postgresql://h/d?user=%",
                           "postgresql://h/d?ssl=true",
                           "postgresql://h/d?ssl=false",
                           "postgresql://h/d?requiressl=1",
                           "postgresql://h/d?user=a?b",
                           "postgresql://h/d#f",
                           "postgresql://u@h/d?user=v",
                           "postgresql://h?host=i",
                           "postgresql://h/d?nope=1",
                           "postgresql://h/ d ",
                           "postgresql://h/d?user= a ",
                           "postgresql://h+i/d+e",
                           "postgresql://h/d?application_name=a+b",
                           "postgresql://h//d",
                           "postgresql:// h",
                           "postgresql://h/d?%00=1",
                           "postgresql://h?options=-c%20a%3Db"}) {
    if (!is_comparable(text)) continue;
    EXPECT_EQ(verdict_of_ours(text), verdict_of_libpq(text)) << text;
  }
}

TEST(ConnectionStringBesideLibpq, KnowsTheSameKeywordsAndVariables) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconndefaults(),
                                                                             &PQconninfoFree);
  std::size_t found = 0;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    for (const ConnectionKeyword& keyword : connection_keywords()) {
      if (keyword.name != option->keyword) continue;
      ++found;
      EXPECT_FALSE(is_newer_than_libpq(keyword.name)) << keyword.name;
      EXPECT_STREQ(keyword.variable, option->envvar) << keyword.name;
    }
    EXPECT_NE(verdict_of_ours(std::string(option->keyword) + "=x"), "refused") << option->keyword;
  }
  const auto keywords = connection_keywords();
  EXPECT_EQ(static_cast<std::ptrdiff_t>(found),
            std::count_if(keywords.begin(), keywords.end(), [](const ConnectionKeyword& keyword) {
              return !is_newer_than_libpq(keyword.name);
            }));
}

std::string join(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

void agree(const std::string& text) {
  RC_LOG() << text;
  RC_PRE(is_comparable(text));
  RC_ASSERT(verdict_of_ours(text) == verdict_of_libpq(text));
}

// Keywords of newer libpqs can't arise: their names are not among the pieces.
const std::vector<std::string> uri_pieces = {
    "@",   ":",    "/",   "?",    "&",   "=", ",",  "[",    "]",        "%",
    "%41", "%2",   "%2F", "%00",  "%zz", "a", "db", "user", "password", "sslmode",
    "ssl", "true", "::1", "5432", " ",   "+", "#",  "'",    "\\",       "é"};
const std::vector<std::string> key_pieces = {
    "=",          "'",    "\\",     "\\'",      " ", "\t",          "\n",    "host",
    "port",       "user", "dbname", "password", "a", "5432",        "host=", " user=",
    "requiressl", "1",    "'a b'",  ",",        "/", "postgres://", "%41",   "é"};

TEST(ConnectionStringBesideLibpq, AgreesOnPiecesOfUris) {
  EXPECT_TRUE(rc::check("URIs", [] {
    const auto pieces =
        *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(uri_pieces));
    agree("postgresql://" + join(pieces));
  }));
}

TEST(ConnectionStringBesideLibpq, AgreesOnPiecesOfKeysAndValues) {
  EXPECT_TRUE(rc::check("key=value", [] {
    agree(join(*rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(key_pieces))));
  }));
}

TEST(ConnectionStringBesideLibpq, AgreesOnWellFormedOnesWithAnyValue) {
  EXPECT_TRUE(rc::check("values", [] {
    const auto value = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    std::string quoted;
    for (const char c : value)
      quoted += (c == '\'' || c == '\\') ? std::string("\\") + c : std::string(1, c);
    agree("user='" + quoted + "' host=db");
    agree("user=" + value);
    agree("postgresql://u@h/d?options=" + value);
    agree("postgresql://" + value + "@h/d");
  }));
}

}  // namespace
}  // namespace pgcourier::config
