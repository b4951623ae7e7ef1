// Every kind of error of a settings file, with its exact message.
#include <gtest/gtest.h>

#include "tests/config/settings_text.hpp"

namespace pgcourier::config {
namespace {

const std::string head = R"(name: shop
source: {url: "host=db", publication: shop, slot: shop}
)";

struct Case {
  std::string text;
  std::string error;
};

void expect_all(const std::vector<Case>& cases) {
  for (const Case& refused : cases)
    EXPECT_EQ(error_of(refused.text), refused.error) << refused.text;
}

TEST(RefusedSettings, UnknownAndDuplicateKeys) {
  expect_all({
      {"name: shop\nsorce: {}\n", "shop.yaml:2:1: unknown key sorce (did you mean source?)"},
      {"name: shop\nsource:\n  slto: x\n",
       "shop.yaml:3:3: unknown key source.slto (did you mean source.slot?)"},
      {"slot: x\n", "shop.yaml:1:1: unknown key slot (did you mean source.slot?)"},
      {"zzzzzz: x\n", "shop.yaml:1:1: unknown key zzzzzz"},
      {head + "sinks:\n  - files: {directory: /d, rotate: {sise: 1MiB}}\n",
       "shop.yaml:4:37: unknown key sinks.0.files.rotate.sise (did you mean "
       "sinks.0.files.rotate.size?)"},
      {"name: a\nname: b\n", "shop.yaml:2:1: the key name is there twice, first at shop.yaml:1:1"},
      {head + "sinks:\n  - kafak: {}\n",
       "shop.yaml:4:5: unknown kind of sink sinks.0.kafak (did you mean sinks.0.kafka?); not "
       "available in this version of pgcourier: there are kafka, files, stdout and \"null\""},
  });
}

TEST(RefusedSettings, WhatIsRequired) {
  expect_all({
      {"", "shop.yaml: name: required, but not given"},
      {"name: shop\n", "shop.yaml:1:1: source.url: required, but not given"},
      {"name: ''\n", "shop.yaml:1:7: name: required, but empty"},
      {"name: shop\nsource: {url: host=db}\n",
       "shop.yaml:2:9: source.publication: required, but not given"},
      {"name: shop\nsource: {url: host=db, publication: p}\n",
       "shop.yaml:2:9: source.slot: required, but not given"},
      {head, "shop.yaml:1:1: sinks: required, but not given"},
      {head + "sinks: []\n", "shop.yaml:3:8: sinks: at least one sink is required"},
      {head + "sinks:\n  - kafka: {}\n",
       "shop.yaml:4:12: sinks.0.kafka.brokers: required, but not given"},
      {head + "sinks:\n  - files: {}\n",
       "shop.yaml:4:12: sinks.0.files.directory: required, but not given"},
  });
}

TEST(RefusedSettings, WrongTypes) {
  const std::string sink_form =
      "expected one kind of sink with its settings under it, as in `- stdout: {}`; there are "
      "kafka, files, stdout and \"null\"";
  expect_all({
      {"- a\n", "shop.yaml:1:1: expected a map of settings"},
      {"name: [a]\n", "shop.yaml:1:7: name: expected one value, found a list"},
      {"source: x\n", "shop.yaml:1:1: name: required, but not given"},
      {"name: shop\nsource: x\n", "shop.yaml:2:9: source: expected a map of settings, found \"x\""},
      {head + "sinks: {stdout: {}}\n",
       "shop.yaml:3:8: sinks: expected a list of sinks, found a map"},
      {head + "sinks: [stdout]\n", "shop.yaml:3:9: sinks.0: " + sink_form},
      {head + "sinks: [{stdout: {}, files: {}}]\n", "shop.yaml:3:9: sinks.0: " + sink_form},
      {"name: shop\nsource: {url: host=db, publication: p, slot: s, create_slot: yes}\n",
       "shop.yaml:2:62: source.create_slot: expected true or false, found \"yes\""},
      {"name: shop\nsource: {url: host=db, publication: p, slot: s, tables: public.*}\n",
       "shop.yaml:2:57: source.tables: expected a list like [a, b], found \"public.*\""},
      {"name: shop\nsource: {url: host=db, publication: p, slot: s, tables: ['']}\n",
       "shop.yaml:1:1: sinks: required, but not given"},
      {"name: shop\nsource: {url: host=db, publication: p, slot: s, origin: all}\n",
       "shop.yaml:2:57: source.origin: expected one of any, none, found \"all\""},
      {head + "sinks: [stdout: ]\nshutdown_timeout: 30\n",
       "shop.yaml:4:19: shutdown_timeout: expected a duration like 10s (a whole number and one of "
       "ms, s, m, h, d), found \"30\" without a unit"},
      {head + "sinks: [stdout: ]\nlimits: {in_flight_bytes: 16MB}\n",
       "shop.yaml:4:27: limits.in_flight_bytes: expected a size like 64MiB (a whole number and one "
       "of B, KiB, MiB, GiB, TiB), found \"16MB\""},
      {head + "sinks: [stdout: ]\nlimits: {in_flight_bytes: 1B}\n",
       "shop.yaml:4:27: limits.in_flight_bytes: expected a value from 1KiB, found \"1B\""},
      {head + "sinks: [kafka: {brokers: b, create_topics: {partitions: many}}]\n",
       "shop.yaml:3:57: sinks.0.kafka.create_topics.partitions: expected a whole number, found "
       "\"many\""},
      {head + "sinks: [kafka: {brokers: b, create_topics: {partitions: 0}}]\n",
       "shop.yaml:3:57: sinks.0.kafka.create_topics.partitions: expected a value from 1 up to "
       "200000, found \"0\""},
      {head + "sinks: [kafka: {brokers: b, create_topics: true}]\n",
       "shop.yaml:3:44: sinks.0.kafka.create_topics: expected a map of settings, found \"true\""},
      {head + "sinks: [kafka: {brokers: b, properties: {linger.ms: [1]}}]\n",
       "shop.yaml:3:53: sinks.0.kafka.properties.linger.ms: expected one value, found a list"},
  });
}

TEST(RefusedSettings, ValuesThatCantBe) {
  expect_all({
      {"name: a b\n",
       "shop.yaml:1:7: name: expected a text that matches [A-Za-z0-9._-]{1,63}, found \"a b\""},
      {"name: shop\nsource: {url: host=db, publication: p, slot: Shop}\n",
       "shop.yaml:2:46: source.slot: expected a text that matches [a-z0-9_]{1,63}, found \"Shop\""},
      {"name: shop\nsource: {url: 'host', publication: p, slot: s}\nsinks: [stdout: ]\n",
       "shop.yaml:2:15: source.url: missing \"=\" after the word at character 1 of the connection "
       "string (a value with spaces needs single quotes)"},
      {"name: shop\nsource: {url: host=db, publication: p, slot: s, tables: ['']}\nsinks: "
       "[stdout: ]\n",
       "shop.yaml:2:58: source.tables: a pattern is empty"},
      {head + "sinks: [kafka: {brokers: b, topic: '{nmae}'}]\n",
       "shop.yaml:3:36: sinks.0.kafka.topic: expected a text that matches "
       "([A-Za-z0-9._-]|\\{(name|schema|table)\\}){1,249}, found \"{nmae}\""},
      {head + "sinks: [kafka: {brokers: b, create_topics: {replication_factor: 0}}]\n",
       "shop.yaml:3:65: sinks.0.kafka.create_topics.replication_factor: expected 1 or more, or -1 "
       "for the broker's default"},
      {head + "sinks: [kafka: {brokers: b, properties: {acks: 1}}]\n",
       "shop.yaml:3:48: sinks.0.kafka.properties.acks: can't be set: only acks=all, which is "
       "always "
       "set, makes an acknowledged record safe to confirm"},
      {head + "sinks:\n  - stdout: {}\n  - stdout: {}\n",
       "shop.yaml:5:13: sinks.1.stdout.id: \"stdout\" is the id of sinks.0.stdout too: give one of "
       "them another `id`"},
      {head + "sinks:\n  - files: {directory: /d/x/../y/}\n  - files: {id: f2, directory: /d/y}\n",
       "shop.yaml:5:32: sinks.1.files.directory: /d/y is the directory of sinks.0.files too: each "
       "needs its own"},
      {head + "sinks: [stdout: ]\nhttp: {listen: '8470'}\n",
       "shop.yaml:4:16: http.listen: expected a text that matches |[^\\s]{0,255}:[0-9]{1,5}, found "
       "\"8470\""},
      {head + "sinks: [stdout: ]\nhttp: {listen: ':99999'}\n",
       "shop.yaml:4:16: http.listen: the port is above 65535"},
  });
}

TEST(RefusedSettings, WhatIsNotThereYet) {
  const auto source = [](const std::string& setting) {
    return "name: shop\nsource:\n  " + setting +
           "\n  url: host=db\n  publication: p\n  slot: s\nsinks: [stdout: ]\n";
  };
  const auto kafka = [](const std::string& setting) {
    return head + "sinks:\n  - kafka:\n      " + setting + "\n      brokers: b\n";
  };
  expect_all({
      {source("binary: true"),
       "shop.yaml:3:11: source.binary: true is not available in this version of pgcourier, only "
       "false"},
      {head + "snapshot: {mode: initial}\nsinks: [stdout: ]\n",
       "shop.yaml:3:18: snapshot.mode: initial is not available in this version of pgcourier, only "
       "never"},
      {head + "format: debezium\nsinks: [stdout: ]\n",
       "shop.yaml:3:9: format: debezium is not available in this version of pgcourier, only "
       "native"},
      {head + "sinks: [files: {directory: /d, compression: lz4}]\n",
       "shop.yaml:3:45: sinks.0.files.compression: expected one of none, gzip, zstd, found "
       "\"lz4\""},
  });
  for (const char* setting :
       {"streaming: off", "streaming: on", "streaming: auto", "heartbeat: 10s", "binary: false"}) {
    EXPECT_EQ(error_of(source(setting)), "loaded");
  }
  for (const char* setting : {"delivery: exactly_once", "transaction: {every: 1s, size: 1}",
                              "undeliverable: dead_letter", "undeliverable: skip"}) {
    EXPECT_EQ(error_of(kafka(setting)), "loaded");
  }
}

TEST(RefusedSettings, TokensThatCantBe) {
  const auto source = [](const std::string& setting) {
    return "name: shop\nsource:\n  " + setting +
           "\n  url: host=db\n  publication: p\n  slot: s\nsinks: [stdout: ]\n";
  };
  expect_all({
      {source("oauth_token: ''"), "shop.yaml:3:16: source.oauth_token: must not be empty"},
      {source("oauth_token: hunter2\n  oauth_token_command: [/bin/token]"),
       "shop.yaml:4:24: source.oauth_token_command: can't stand beside source.oauth_token: remove "
       "one of them"},
      {source("oauth_token_command: /bin/token --for db"),
       "shop.yaml:3:24: source.oauth_token_command: expected a list like [a, b], found "
       "\"/bin/token --for db\""},
      {source("oauth_token_command: [token]"),
       "shop.yaml:3:25: source.oauth_token_command: must begin with the absolute path of a "
       "program, "
       "found \"token\""},
      {source("oauth_token_command: [/bin/token, \"a\\0b\"]"),
       "shop.yaml:3:37: source.oauth_token_command: a NUL character can't be in it"},
      {source("oauth_token: ${file:/nowhere/token}"),
       "shop.yaml:3:16: can't read /nowhere/token: No such file or directory"},
  });
}

TEST(RefusedSettings, NeverShowASecret) {
  for (const auto& text : std::vector<std::string>{
           "name: shop\nsource: {url: 'password=hunter2 hunter3', publication: p, slot: s}\nsinks: "
           "[stdout: ]\n",
           "name: ${SECRET}\n", "name: shop\nshutdown_timeout: ${SECRET}\n" + head.substr(11),
           "name: shop\nsource: {create_slot: '${SECRET}'}\n",
           "name: shop\nsource: {url: u=x, oauth_token: [hunter2]}\n",
           "name: shop\nsource: {url: host=x, oauth_token: \"hunter2\\0\"}\n",
           "name: shop\nsource: {url: host=x, oauth_token_command: ['${SECRET}'], publication: p, "
           "slot: s}\nsinks: [stdout: ]\n"}) {
    const std::string error = error_of(text, {{"SECRET", "hunter2 hunter3"}});
    EXPECT_NE(error, "loaded");
    EXPECT_EQ(error.find("hunter"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace pgcourier::config
