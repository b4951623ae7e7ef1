// libpq is the oracle: with any service files and environment, what PQconninfo tells of a
// connection object is what add_service and ConnectionValues find.
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/connection_keywords.hpp"
#include "config/connection_values.hpp"
#include "config/service_file.hpp"

namespace pgcourier::config {
namespace {

using Values = std::map<std::string, std::string>;
using Texts = std::vector<std::string>;

// One that libpq refuses after it has put all values together: so it never connects.
constexpr const char* stops_libpq = "PGTARGETSESSIONATTRS";
// Whose default libpq works out only when it connects.
constexpr std::string_view worked_out[] = {"user", "dbname", "passfile", "sslcertmode"};

bool is_worked_out(const std::string& keyword) {
  return std::find(std::begin(worked_out), std::end(worked_out), keyword) != std::end(worked_out);
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

// Empty: the options are refused, so that none has a value.
std::optional<Values> libpqs(const std::string& text) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectStart(text.c_str()),
                                                                &PQfinish);
  const Options options(PQconninfo(connection.get()), &PQconninfoFree);
  Values values;
  bool accepted = false;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    values[option->keyword] = option->val;
    if (std::string_view(option->keyword) == "sslmode") accepted = true;
  }
  if (!accepted) return std::nullopt;
  return values;
}

std::optional<Values> ours(const std::string& text) {
  const LibpqSurroundings surroundings = process_surroundings();
  const Options options(PQconndefaults(), &PQconninfoFree);
  Values values;
  try {
    const ConnectionKeywords keywords = add_service(parse_connection_string(text), surroundings);
    const ConnectionValues found(keywords, surroundings);
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
      const auto value = found.find(option->keyword);
      if (value) {
        values[option->keyword] = *value;
      } else if (option->compiled != nullptr) {
        values[option->keyword] = option->compiled;
      }
    }
  } catch (const SettingsError&) {
    return std::nullopt;
  }
  return values;
}

std::string written(const std::optional<Values>& values) {
  if (!values) return "refused";
  std::string text;
  for (const auto& [name, value] : *values) text += name + "=<" + value + "> ";
  return text;
}

// What the two may differ in: libpq 15 to 17 don't tell the service, and what is worked out.
void drop_what_may_differ(std::optional<Values>& mine, std::optional<Values>& theirs) {
  if (!mine || !theirs) return;
  for (auto* values : {&*mine, &*theirs}) {
    values->erase("service");
    values->erase("servicefile");
  }
  for (const auto& [name, value] : Values(*theirs)) {
    if (is_worked_out(name) && (*mine)[name].empty()) {
      mine->erase(name);
      theirs->erase(name);
    }
  }
}

class ServiceFileBesideLibpq : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "services-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    for (const char* name : {"home", "etc", "named"}) {
      std::filesystem::create_directory(folder_ / name);
    }
    set("HOME", folder_ / "home");
    set("PGSYSCONFDIR", folder_ / "etc");
    set(stops_libpq, "nowhere");
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    for (const auto& [name, before] : before_) {
      before ? setenv(name.c_str(), before->c_str(), 1) : unsetenv(name.c_str());
    }
  }

  void set(const char* name, const std::optional<std::string>& value) {
    const char* before = std::getenv(name);
    before_.try_emplace(name, before ? std::optional<std::string>(before) : std::nullopt);
    value ? setenv(name, value->c_str(), 1) : unsetenv(name);
  }

  void write(const std::string& name, const std::optional<std::string>& text) {
    if (text) {
      std::ofstream(folder_ / name, std::ios::binary) << *text;
    } else {
      std::filesystem::remove(folder_ / name);
    }
  }

  // Number of those that both accept is told, so that "both refuse all" can't pass for agreement.
  bool agree(const std::string& text) {
    auto mine = ours(text), theirs = libpqs(text);
    drop_what_may_differ(mine, theirs);
    EXPECT_EQ(written(mine), written(theirs)) << text;
    return mine.has_value();
  }

  std::filesystem::path folder_;
  std::map<std::string, std::optional<std::string>> before_;
};

const Texts strings = {"",
                       "service=a",
                       "service=''",
                       "service=a host=/w user=''",
                       "service=b port=7 sslmode=prefer",
                       "service='a b'",
                       "postgresql:///?service=a",
                       "postgresql://u:p@/d?service=b"};

TEST_F(ServiceFileBesideLibpq, AgreesOnWhatPeopleWrite) {
  write("home/.pg_service.conf", "[a]\nhost=/h\nport=1\n[b]\nhost=/b\nuser=ub\ndbname=\n");
  write("etc/pg_service.conf", "[a]\nhost=/e\n[a b]\nhost=/ab\n[]\nhost=/empty\n");
  write("named/file", "[a]\nhost=/n\nhost=/m\npassword= x=y \nsslmode=require\n");
  const std::optional<std::string> none;
  std::size_t accepted = 0;
  for (const auto& service : {none, std::optional<std::string>("a"), {"b"}, {""}, {"c"}}) {
    set("PGSERVICE", service);
    for (const auto& file : {none,
                             std::optional<std::string>(folder_ / "named/file"),
                             {folder_ / "named/missing"},
                             {folder_ / "named"},
                             {""}}) {
      set("PGSERVICEFILE", file);
      for (const auto& user : {none, std::optional<std::string>("eu"), {""}}) {
        set("PGUSER", user);
        set("PGSSLMODE", user);
        set("PGHOST", user);
        for (const std::string& text : strings) accepted += agree(text) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(accepted, 100u);
}

// Not among them: ldap:// lines, over which libpq asks the network, and keywords that are newer
// than libpq 15, which only newer ones take.
Texts lines() {
  Texts all = {"[a]",
               "[b]",
               " [a]\t",
               "[a] x",
               "[ab]",
               "[a",
               "[]",
               "[",
               "#",
               "# c",
               "",
               " ",
               "host=/x",
               "host=/y",
               "host = /x",
               "host=",
               " port=1",
               "port=2\r",
               "user=u\v",
               "user= u",
               "dbname=d=e",
               "=x",
               "=",
               "user",
               "User=u",
               "service=b",
               "servicefile=/x",
               "nope=1",
               "requiressl=1",
               "ldapx=1",
               "sslmode=require",
               "password='p' # q",
               "application_name=\xc3\xa9",
               "\xff=1",
               "options=\\",
               "\xef\xbb\xbf[a]",
               std::string("port=3\0x", 8),
               std::string("\0[b]", 4)};
  for (const std::size_t length : {1021u, 1022u, 1023u, 1024u, 2050u}) {
    all.push_back("#" + std::string(length - 1, 'x'));
    all.push_back("host=" + std::string(length - 5, 'x'));
    all.push_back(std::string(length, ' '));
    all.push_back("port=4" + std::string(1, '\0') + std::string(length, 'x'));
  }
  return all;
}

rc::Gen<std::string> file_text() {
  // Sensible lines thrice, else nearly every file would be refused.
  const Texts sensible = {"[a]", "[b]", "host=/x", "port=1", "user=u", "dbname=d", "# c"};
  const auto line = rc::gen::weightedOneOf<std::string>(
      {{6, rc::gen::elementOf(sensible)}, {1, rc::gen::elementOf(lines())}});
  return rc::gen::map(rc::gen::pair(rc::gen::container<Texts>(line), rc::gen::arbitrary<bool>()),
                      [](const std::pair<Texts, bool>& file) {
                        std::string text;
                        for (const std::string& each : file.first) text += each + "\n";
                        if (file.second && !text.empty()) text.pop_back();
                        return text;
                      });
}

TEST_F(ServiceFileBesideLibpq, AgreesOnAnyFilesAndEnvironment) {
  using Maybe = std::optional<std::string>;
  const std::vector<Maybe> names = {std::nullopt, "a", "b", "ab", ""};
  const std::vector<Maybe> paths = {std::nullopt, std::nullopt, folder_ / "named/file",
                                    folder_ / "named/missing", folder_ / "named"};
  const std::vector<Maybe> others = {std::nullopt, std::nullopt, "", "env"};
  std::size_t accepted = 0;
  EXPECT_TRUE(rc::check("services", [&] {
    for (const char* name : {"home/.pg_service.conf", "etc/pg_service.conf", "named/file"}) {
      const rc::Maybe<std::string> text = *rc::gen::maybe(file_text());
      write(name, text ? std::optional<std::string>(*text) : std::nullopt);
    }
    set("PGSERVICE", *rc::gen::elementOf(names));
    set("PGSERVICEFILE", *rc::gen::elementOf(paths));
    for (const char* name : {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSSLMODE",
                             "PGAPPNAME", "PGOPTIONS"}) {
      set(name, *rc::gen::elementOf(others));
    }
    for (const std::string& text : strings) {
      if (agree(text)) ++accepted;
      RC_ASSERT(!HasFailure());
    }
  }));
  EXPECT_GT(accepted, 100u);
}

}  // namespace
}  // namespace pgcourier::config
