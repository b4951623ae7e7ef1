#include "config/pass_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pgcourier::config {
namespace {

using Found = std::optional<std::string>;

TEST(PassFile, GivesThePasswordOfTheFirstLineThatMatches) {
  const PassFile file{
      "# db:5432:shop:cdc:comment\n"
      "\n"
      "db:5433:shop:cdc:other port\n"
      "db:5432:shop:cdc:first\r\n"
      "*:*:*:cdc:any\n"};
  EXPECT_EQ(file.find("db", 5432, "shop", "cdc"), Found("first"));
  EXPECT_EQ(file.find("db", 5433, "shop", "cdc"), Found("other port"));
  EXPECT_EQ(file.find("elsewhere", 1, "x", "cdc"), Found("any"));
  EXPECT_EQ(file.find("db", 5432, "shop", "someone"), std::nullopt);
}

TEST(PassFile, ReadsEscapesInFieldsAndPassword) {
  const PassFile file{
      "\\:\\:1:5432:sh\\\\op:c\\:dc:a\\:b\\\\c\\d:ignored\n"
      "star:5432:\\*:cdc:literal star"};
  EXPECT_EQ(file.find("::1", 5432, "sh\\op", "c:dc"), Found("a:b\\cd"));
  EXPECT_EQ(file.find("star", 5432, "*", "cdc"), Found("literal star"));
  EXPECT_EQ(file.find("star", 5432, "shop", "cdc"), std::nullopt);
}

TEST(PassFile, TakesTheDefaultSocketDirectoryForLocalhost) {
  const PassFile file{"localhost:5432:shop:cdc:pw\n/tmp:5432:shop:cdc:tmp\n"};
  EXPECT_EQ(file.find("/var/run/postgresql", 5432, "shop", "cdc"), Found("pw"));
  EXPECT_EQ(file.find("", 5432, "shop", "cdc"), Found("pw"));
  EXPECT_EQ(file.find("/tmp", 5432, "shop", "cdc"), Found("tmp"));
}

TEST(PassFile, IgnoresLinesThatEndEarly) {
  const PassFile file{"db:5432:shop:cdc\ndb:5432\n\\\n:\n"};
  EXPECT_EQ(file.find("db", 5432, "shop", "cdc"), std::nullopt);
}

TEST(PassFile, IsIgnoredWithAWarningIfOthersMayReadIt) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("pgpass-" + std::to_string(::getpid()));
  std::ofstream(path) << "*:*:*:*:pw\n";
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  std::vector<std::string> warnings;
  EXPECT_EQ(read_pass_file(path, warnings).text, "");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0],
            "the password file " + path.string() +
                " is ignored: others may read it; its permissions must be 0600 or less");
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(read_pass_file(path, warnings).text, "*:*:*:*:pw\n");
  std::filesystem::remove(path);
  EXPECT_EQ(warnings.size(), 1u);
  EXPECT_EQ(read_pass_file(path, warnings).text, "");
  EXPECT_EQ(warnings.size(), 1u);
  read_pass_file(std::filesystem::temp_directory_path(), warnings);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[1].find("no plain file"), std::string::npos);
}

}  // namespace
}  // namespace pgcourier::config
