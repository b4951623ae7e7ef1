#include "cdc/daemon/checks/settings_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cdc/daemon/exit_codes.hpp"
#include "cdc/daemon/retry_policy.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SettingsCheck : public testing::Test {
 protected:
  SettingsCheck() { settings_.source.url = "postgresql://cdc@db:5433/shop?sslmode=disable"; }

  // What `run` would say; empty: the settings are fine.
  std::string refusal() {
    warnings_.clear();
    try {
      check_settings(settings_, warnings_);
      return {};
    } catch (const std::exception&) {
      const auto step = next_step(std::current_exception(), false);
      EXPECT_EQ(step.exit_code, exit_settings) << step.what;
      return step.what;
    }
  }

  std::string refusal_of_url(const std::string& url) {
    settings_.source.url = url;
    return refusal();
  }

  std::string refusal_of_property(const std::string& name, const std::string& value) {
    config::KafkaSettings kafka;
    kafka.id = "kafka";
    kafka.brokers = "b:9092";
    kafka.properties[name] = value;
    settings_.sinks = {kafka};
    return refusal();
  }

  config::Settings settings_;
  std::vector<std::string> warnings_;
};

TEST_F(SettingsCheck, PassesWhatRunCanUse) {
  settings_.source.tables = {"public.*", "re:audit\\.(a|b)"};
  settings_.source.password_file = "/nowhere/password";
  EXPECT_EQ(refusal_of_property("linger.ms", "20"), "");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(SettingsCheck, WarnsOfAServiceThatMayBeElsewhere) {
  EXPECT_EQ(refusal_of_url("service=shop servicefile=/nowhere"), "");
  EXPECT_THAT(warnings_, ElementsAre("the service file /nowhere can't be read: No such file or "
                                     "directory"));
}

TEST_F(SettingsCheck, RefusesAFilterThatIsNoExpression) {
  settings_.source.tables = {"public.*", "re:("};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("source.tables"), HasSubstr("re:(")));
}

TEST_F(SettingsCheck, RefusesAConnectionThatLibpqWouldRefuse) {
  EXPECT_THAT(refusal_of_url("postgresql://h/d?sslmode=foo"), HasSubstr("sslmode"));
  EXPECT_THAT(refusal_of_url("host=h port=abc"), HasSubstr("abc"));
  EXPECT_THAT(refusal_of_url("postgresql://h:99999/d"), HasSubstr("99999"));
  EXPECT_THAT(refusal_of_url("host=h nonsense=1"), HasSubstr("character 8"));
}

TEST_F(SettingsCheck, WarnsOfACertificateThatIsNotHere) {
  EXPECT_EQ(refusal_of_url("postgresql://cdc@h/d?sslmode=verify-full&sslrootcert=/nowhere"), "");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("/nowhere does not exist")));
}

TEST_F(SettingsCheck, RefusesKafkaPropertiesThatLibrdkafkaRefuses) {
  EXPECT_THAT(refusal_of_property("nonsense.prop", "1"),
              AllOf(HasSubstr("sink kafka: properties.nonsense.prop"), HasSubstr("No such")));
  EXPECT_THAT(refusal_of_property("linger.ms", "abc"), HasSubstr("properties.linger.ms"));
}

TEST_F(SettingsCheck, RefusesAnAddressThatCantBeListenedOn) {
  settings_.http_listen = "127.0.0.1:99999";
  EXPECT_THAT(refusal(), HasSubstr("http.listen"));
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
