#include "config/load_settings.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/config/settings_text.hpp"

namespace pgcourier::config {
namespace {

const std::string with_kafka = R"(name: shop
source: {url: "host=db", publication: shop, slot: shop}
sinks:
  - kafka:
      brokers: b:9092
)";

TEST(LoadSettings, AMinimalFileGivesTheDefaultsOfTheStructs) {
  const Settings settings = load(minimal).settings;
  const Settings defaults;
  EXPECT_EQ(settings.name, "shop");
  EXPECT_EQ(settings.source.url, "postgresql://cdc@db/shop");
  EXPECT_EQ(settings.source.create_slot, defaults.source.create_slot);
  EXPECT_EQ(settings.source.create_publication, defaults.source.create_publication);
  EXPECT_EQ(settings.source.tables, defaults.source.tables);
  EXPECT_EQ(settings.source.origin, defaults.source.origin);
  EXPECT_EQ(settings.source.messages, defaults.source.messages);
  EXPECT_EQ(settings.source.silence_timeout, defaults.source.silence_timeout);
  EXPECT_EQ(settings.source.shutdown_grace, defaults.source.shutdown_grace);
  EXPECT_EQ(settings.http_listen, defaults.http_listen);
  EXPECT_EQ(settings.limits.in_flight_bytes, defaults.limits.in_flight_bytes);
  EXPECT_EQ(settings.limits.message_bytes, defaults.limits.message_bytes);
  EXPECT_EQ(settings.state_dir, defaults.state_dir);
  EXPECT_EQ(settings.shutdown_timeout, defaults.shutdown_timeout);
  EXPECT_EQ(settings.log.level, defaults.log.level);
  EXPECT_EQ(settings.log.format, defaults.log.format);
}

TEST(LoadSettings, SinksHaveTheDefaultsOfTheStructs) {
  const Settings settings =
      load(with_kafka + "  - files: {directory: /d}\n  - stdout:\n  - null:\n").settings;
  ASSERT_EQ(settings.sinks.size(), 4u);
  const auto& kafka = std::get<KafkaSettings>(settings.sinks[0]);
  EXPECT_EQ(kafka.id, KafkaSettings().id);
  EXPECT_EQ(kafka.brokers, "b:9092");
  EXPECT_EQ(kafka.topic, KafkaSettings().topic);
  ASSERT_TRUE(kafka.create_topics);
  EXPECT_EQ(kafka.create_topics->partitions, CreateTopics().partitions);
  EXPECT_EQ(kafka.create_topics->replication_factor, CreateTopics().replication_factor);
  const auto& files = std::get<FilesSettings>(settings.sinks[1]);
  EXPECT_EQ(files.id, FilesSettings().id);
  EXPECT_EQ(files.rotate_size, FilesSettings().rotate_size);
  EXPECT_EQ(files.rotate_every, FilesSettings().rotate_every);
  EXPECT_EQ(files.compression, Compression::none);
  EXPECT_EQ(id_of(settings.sinks[2]), StdoutSettings().id);
  EXPECT_EQ(id_of(settings.sinks[3]), NullSettings().id);
}

TEST(LoadSettings, ReadsEverySettingOfTheFile) {
  const Settings settings = load(R"(name: shop.eu-1
source:
  url: host=db
  password_file: /run/secrets/pg
  publication: P
  slot: s_1
  create_slot: false
  create_publication: true
  tables: [public.*, "re:^shop\\."]
  streaming: off
  two_phase: true
  binary: false
  origin: none
  messages: false
  heartbeat: 0s
  silence_timeout: 5m
  shutdown_grace: 1s
snapshot: {mode: never}
format: native
sinks:
  - kafka:
      id: k
      brokers: a:1,b:2
      topic: "{name}-{table}"
      delivery: at_least_once
      create_topics: false
      undeliverable: stop
      properties: {security.protocol: SASL_SSL, linger.ms: 5}
  - files: {id: f, directory: /d, rotate: {size: 1MiB, every: 10s}, compression: zstd}
  - "null": {id: n}
http: {listen: ""}
limits: {in_flight_bytes: 1MiB, transaction_memory: 1MiB, message_bytes: 64MiB}
state_dir: /s
shutdown_timeout: 3s
log: {level: debug, format: json}
)")
                                .settings;
  EXPECT_EQ(settings.name, "shop.eu-1");
  EXPECT_EQ(settings.source.password_file, "/run/secrets/pg");
  EXPECT_FALSE(settings.source.create_slot);
  EXPECT_TRUE(settings.source.create_publication);
  EXPECT_EQ(settings.source.tables, (std::vector<std::string>{"public.*", "re:^shop\\."}));
  EXPECT_EQ(settings.source.origin, "none");
  EXPECT_FALSE(settings.source.messages);
  EXPECT_TRUE(settings.source.two_phase);
  EXPECT_EQ(settings.source.silence_timeout, 5min);
  EXPECT_EQ(settings.source.shutdown_grace, 1s);
  const auto& kafka = std::get<KafkaSettings>(settings.sinks.at(0));
  EXPECT_EQ(kafka.id, "k");
  EXPECT_EQ(kafka.topic, "{name}-{table}");
  EXPECT_FALSE(kafka.create_topics);
  EXPECT_EQ(kafka.properties, (std::map<std::string, std::string>{{"security.protocol", "SASL_SSL"},
                                                                  {"linger.ms", "5"}}));
  const auto& files = std::get<FilesSettings>(settings.sinks.at(1));
  EXPECT_EQ(files.directory, "/d");
  EXPECT_EQ(files.rotate_size, MiB);
  EXPECT_EQ(files.rotate_every, 10s);
  EXPECT_EQ(files.compression, Compression::zstd);
  EXPECT_EQ(settings.http_listen, "");
  EXPECT_EQ(settings.limits.in_flight_bytes, MiB);
  EXPECT_EQ(settings.limits.message_bytes, 64 * MiB);
  EXPECT_EQ(settings.state_dir, "/s");
  EXPECT_EQ(settings.shutdown_timeout, 3s);
  EXPECT_EQ(settings.log.level, LogLevel::debug);
  EXPECT_EQ(settings.log.format, LogFormat::json);
}

TEST(LoadSettings, FlagsComeBeforeTheEnvironmentBeforeTheFile) {
  const Variables variables = {{"PGCOURIER_SOURCE__SLOT", "from_environment"},
                               {"PGCOURIER_SOURCE__PUBLICATION", "from_environment"},
                               {"PGCOURIER_SINKS__0__KAFKA__BROKERS", "env:9092"},
                               {"PGCOURIER_SINKS__0__KAFKA__PROPERTIES__SASL_PASSWORD", "${x"},
                               {"PGCOURIER_SINKS__1__STDOUT__ID", "out"},
                               {"PGCOURIER_SHUTDOWN_TIMEOUT", "1s"},
                               {"PGCOURIER_SOURCE__TABLES", "[a.*, b.*]"}};
  const Settings settings =
      load(with_kafka, variables,
           {"source.slot=from_flag", "sinks.0.kafka.properties.linger.ms=7",
            "sinks.0.kafka.create_topics={partitions: 3}", "sinks.2={\"null\": {}}"})
          .settings;
  EXPECT_EQ(settings.source.slot, "from_flag");
  EXPECT_EQ(settings.source.publication, "from_environment");
  EXPECT_EQ(settings.source.tables, (std::vector<std::string>{"a.*", "b.*"}));
  EXPECT_EQ(settings.shutdown_timeout, 1s);
  ASSERT_EQ(settings.sinks.size(), 3u);
  const auto& kafka = std::get<KafkaSettings>(settings.sinks[0]);
  EXPECT_EQ(kafka.brokers, "env:9092");
  EXPECT_EQ(kafka.properties.at("sasl.password"), "${x");  // the environment is taken literally
  EXPECT_EQ(kafka.properties.at("linger.ms"), "7");
  EXPECT_EQ(kafka.create_topics->partitions, 3);
  EXPECT_EQ(id_of(settings.sinks[1]), "out");
}

TEST(LoadSettings, TheEnvironmentAloneIsEnough) {
  const Settings settings = load("", {{"PGCOURIER_NAME", "n"},
                                      {"PGCOURIER_SOURCE__URL", "host=db"},
                                      {"PGCOURIER_SOURCE__PUBLICATION", "p"},
                                      {"PGCOURIER_SOURCE__SLOT", "s"},
                                      {"PGCOURIER_SINKS", "[{stdout: {}}]"}})
                                .settings;
  EXPECT_EQ(settings.name, "n");
}

TEST(LoadSettings, AnOverrideGivesWayOnlyToWhatHasAPlace) {
  EXPECT_EQ(error_of(minimal, {{"PGCOURIER_SOURCE__SLTO", "x"}}),
            "PGCOURIER_SOURCE__SLTO: unknown setting source.slto (did you mean source.slot?)");
  EXPECT_EQ(error_of(minimal, {{"PGCOURIER_SOURCE__CREATE_SLOT", "maybe"}}),
            "PGCOURIER_SOURCE__CREATE_SLOT: source.create_slot: expected true or false, found "
            "\"maybe\"");
  EXPECT_EQ(error_of(minimal, {}, {"source.slto=x"}),
            "--set source.slto: unknown setting source.slto (did you mean source.slot?)");
  EXPECT_EQ(error_of(minimal, {}, {"slot=x"}),
            "--set slot: unknown setting slot (did you mean source.slot?)");
  EXPECT_EQ(error_of(minimal, {}, {"source.slot"}),
            "--set expects PATH=VALUE, as in --set source.slot=shop");
  EXPECT_EQ(error_of(minimal, {}, {"sinks.3.stdout.id=x"}),
            "--set sinks.3.stdout.id: there is no sink 2 before it");
  EXPECT_EQ(error_of(minimal, {}, {"sinks.*.stdout.id=x"}),
            "--set sinks.*.stdout.id: unknown setting sinks.*");
  EXPECT_EQ(error_of(minimal, {{"PGCOURIER_SINKS", "[oops"}}).substr(0, 16), "PGCOURIER_SINKS:");
}

TEST(LoadSettings, IgnoresKubernetesServiceLinksAndWarnsOfOtherStrangers) {
  const LoadedSettings loaded = load(minimal, {{"PGCOURIER_SERVICE_HOST", "10.0.0.1"},
                                               {"PGCOURIER_SERVICE_PORT_HTTP", "8470"},
                                               {"PGCOURIER_PORT_8470_TCP_ADDR", "10.0.0.1"},
                                               {"PGCOURIER_FORMATS", "x"},
                                               {"OTHER", "x"}});
  EXPECT_EQ(loaded.warnings,
            std::vector<std::string>{"PGCOURIER_FORMATS is ignored: unknown setting formats (did "
                                     "you mean format?)"});
}

TEST(LoadSettings, ReplacesVariablesAndFiles) {
  const std::filesystem::path secret =
      std::filesystem::temp_directory_path() / ("secret-" + std::to_string(::getpid()));
  std::ofstream(secret) << "two\nlines\n";
  const Settings settings =
      load(
          "name: ${NAME}-${EMPTY:-x}-${UNSET:-y}\n"
          "source: {url: 'host=db password=''$${${NAME}}''', slot: \"s${EMPTY}\", "
          "publication: '${file:" +
              secret.string() + "}'}\nsinks: [stdout: ]\n",
          {{"NAME", "shop"}, {"EMPTY", ""}})
          .settings;
  std::filesystem::remove(secret);
  EXPECT_EQ(settings.name, "shop-x-y");
  EXPECT_EQ(settings.source.url, "host=db password='${shop}'");
  EXPECT_EQ(settings.source.slot, "s");
  EXPECT_EQ(settings.source.publication, "two\nlines");
}

TEST(LoadSettings, SaysWhichVariableOrFileIsMissing) {
  EXPECT_EQ(error_of("name: ${NAME}\n"),
            "shop.yaml:1:7: the environment variable NAME is not set (${NAME:-…} would give a "
            "default)");
  EXPECT_EQ(error_of("name: ${file:/nowhere/x}\n"),
            "shop.yaml:1:7: can't read /nowhere/x: No such file or directory");
  EXPECT_EQ(error_of("name: ${file:/tmp}\n"), "shop.yaml:1:7: can't read /tmp: Is a directory");
  EXPECT_EQ(error_of("name: '${NAME'\n"), "shop.yaml:1:7: \"${\" without \"}\"");
  EXPECT_EQ(error_of("name: '${a b}'\n"),
            "shop.yaml:1:7: \"${\" must be followed by VAR}, VAR:-default} or file:/path}; write "
            "\"$${\" for the characters themselves");
  try {
    load_settings("/nowhere/shop.yaml", {});
    FAIL();
  } catch (const SettingsError& error) {
    EXPECT_STREQ(error.what(), "can't read /nowhere/shop.yaml: No such file or directory");
  }
}

TEST(LoadSettings, WarnsOfAPasswordInTwoPlaces) {
  const LoadedSettings loaded =
      load(minimal, {}, {"source.url=password=x", "source.password_file=/p"});
  EXPECT_EQ(loaded.warnings, std::vector<std::string>{
                                 "source.password_file comes before the password in source.url"});
}

TEST(LoadSettings, TakesATokenItsFileOrACommand) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("token-" + std::to_string(::getpid()));
  std::ofstream(path) << "of the file\n";
  const std::string file = "${file:" + path.string() + "}";
  const auto source = [](const std::string& token, const Variables& variables = {}) {
    const std::string set = token.empty() ? "" : "\n  oauth_token: " + token;
    std::string text = minimal;
    text.insert(text.find("\n  slot"), set);
    return load(text, variables).settings.source;
  };
  EXPECT_EQ(source("").oauth_token, "");
  EXPECT_EQ(source("written").oauth_token, "written");
  EXPECT_EQ(source("${T}", {{"T", "of a variable"}}).oauth_token, "of a variable");
  EXPECT_EQ(source("", {{"PGCOURIER_SOURCE__OAUTH_TOKEN", "literal ${file:/x}"}}).oauth_token,
            "literal ${file:/x}");
  EXPECT_EQ(source("x" + file).oauth_token, "xof the file");
  EXPECT_EQ(source(file + file).oauth_token, "of the fileof the file");
  const Source from_file = source(file);
  EXPECT_EQ(from_file.oauth_token, "");
  EXPECT_EQ(from_file.oauth_token_file, path);
  std::filesystem::remove(path);

  EXPECT_EQ(load(minimal, {}, {"source.oauth_token_command=[/bin/token, --for, 'a b', '']"})
                .settings.source.oauth_token_command,
            (std::vector<std::string>{"/bin/token", "--for", "a b", ""}));
  EXPECT_TRUE(load(minimal, {}, {"source.oauth_token_command=[]"})
                  .settings.source.oauth_token_command.empty());
}

}  // namespace
}  // namespace pgcourier::config
