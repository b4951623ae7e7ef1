#include "config/service_file.hpp"

#include <gtest/gtest.h>

namespace pgcourier::config {
namespace {

using Found = std::optional<ConnectionKeywords>;

Found find(std::string_view text, std::string_view service = "shop") {
  return find_service(text, service, "/f");
}

std::string error_of(std::string_view text) {
  try {
    find(text);
    return "read";
  } catch (const SettingsError& error) {
    return error.what();
  }
}

TEST(ServiceFile, GivesTheKeywordsOfTheFirstSectionOfThatName) {
  constexpr std::string_view text =
      "host=before any\n"
      "# [shop]\n"
      "[shops]\n"
      "host=1\n"
      "\n"
      "  [shop] of shoes \r\n"
      "  host=2 \t\r\n"
      "  # comment\n"
      "host=twice\n"
      "password= a=b # c\n"
      "dbname=\n"
      "options='x'\n"
      "[other]\n"
      "user=other\n"
      "[shop]\n"
      "user=later\n";
  EXPECT_EQ(find(text),
            (Found{{{"host", "2"}, {"password", " a=b # c"}, {"dbname", ""}, {"options", "'x'"}}}));
  EXPECT_EQ(find(text, "other"), (Found{{{"user", "other"}}}));
  EXPECT_EQ(find(text, "sho"), std::nullopt);
  EXPECT_EQ(find("[]\nhost=h", ""), (Found{{{"host", "h"}}}));
  EXPECT_EQ(find("[shop]"), Found(ConnectionKeywords()));
  EXPECT_EQ(find("[shop"), std::nullopt);
  EXPECT_EQ(find(""), std::nullopt);
}

TEST(ServiceFile, ReadsTheKeywordsOfNewerLibpqs) {
  EXPECT_EQ(find("[shop]\nrequire_auth=scram-sha-256\n"),
            (Found{{{"require_auth", "scram-sha-256"}}}));
}

TEST(ServiceFile, TellsFileAndLineOfWhatItRefuses) {
  EXPECT_EQ(error_of("[shop]\nhosts=secret"),
            "service file /f, line 2: unknown keyword (did you mean \"host\"?)");
  EXPECT_EQ(error_of("\n[shop]\nhost =x"),
            "service file /f, line 3: unknown keyword (did you mean \"host\"?)");
  EXPECT_EQ(error_of("[shop]\nzzzzzzzzzzzz=x"), "service file /f, line 2: unknown keyword");
  EXPECT_EQ(error_of("[shop]\n\nhost"), "service file /f, line 3: missing \"=\" after the keyword");
  EXPECT_EQ(error_of("[shop]\nservice=other"),
            "service file /f, line 2: a service can't name another: service is not possible here");
  EXPECT_EQ(
      error_of("[shop]\nservicefile=/g"),
      "service file /f, line 2: a service can't name another: servicefile is not possible here");
  EXPECT_EQ(error_of("[shop]\nldap://h/dc=x?y?one?z"),
            "service file /f, line 2: services are not looked up over LDAP: write the connection "
            "out");
  EXPECT_EQ(error_of("#" + std::string(1100, 'x') + "\n[shop]\n"),
            "service file /f, line 1: the line is too long");
  // Only the section that was asked for, and what is before it, is looked at.
  EXPECT_EQ(error_of("[other]\nnonsense\n[shop]\nhost=h\n[third]\n" + std::string(1100, 'x')),
            "read");
}

TEST(ServiceFile, TakesLinesAsLongAsLibpqsBuffer) {
  const auto with_length = [](std::size_t length) {
    return "[shop]\nhost=" + std::string(length - 5, 'x');
  };
  EXPECT_EQ(error_of(with_length(1022)), "read");
  EXPECT_EQ(error_of(with_length(1021) + "\n"), "read");
  EXPECT_NE(error_of(with_length(1022) + "\n"), "read");
  EXPECT_NE(error_of(with_length(1023)), "read");
}

}  // namespace
}  // namespace pgcourier::config
