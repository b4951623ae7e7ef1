#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/connection_string.hpp"
#include "tests/config/settings_text.hpp"

namespace pgcourier::config {
namespace {

class ResolveConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "home-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    home_ = path;
    std::filesystem::create_directory(home_ / ".postgresql");
  }
  void TearDown() override { std::filesystem::remove_all(home_); }

  ConnectionTarget resolve(std::string_view text, const Variables& variables = {},
                           const std::optional<std::string>& password = std::nullopt) {
    warnings_.clear();
    return resolve_connection(parse_connection_string(text), password,
                              {overrides_of(variables).environment, home_.string(), "os_user"},
                              warnings_);
  }

  std::string error_of(std::string_view text, const Variables& variables = {}) {
    try {
      resolve(text, variables);
      return "resolved";
    } catch (const SettingsError& error) {
      return error.what();
    }
  }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::filesystem::path path = home_ / name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path.string();
  }

  std::filesystem::path home_;
  std::vector<std::string> warnings_;
};

TEST_F(ResolveConnection, HasLibpqsDefaultsButWantsThePrimary) {
  const ConnectionTarget target = resolve("");
  ASSERT_EQ(target.hosts.size(), 1u);
  EXPECT_EQ(target.hosts[0].name, "/var/run/postgresql");
  EXPECT_EQ(target.hosts[0].port, 5432);
  EXPECT_EQ(target.user, "os_user");
  EXPECT_EQ(target.database, "os_user");
  EXPECT_EQ(target.target_session_attrs, TargetSessionAttrs::primary);
  EXPECT_EQ(target.ssl_mode, SslMode::prefer);
  EXPECT_EQ(target.ssl_root_cert, "");
  EXPECT_EQ(target.ssl_cert, "");
  EXPECT_EQ(target.ssl_min_protocol_version, "TLSv1.2");
  EXPECT_TRUE(target.ssl_sni);
  EXPECT_EQ(target.channel_binding, "prefer");
  EXPECT_EQ(target.connect_timeout, 10s);
  EXPECT_TRUE(target.keepalives);
  EXPECT_EQ(target.application_name, "");
  EXPECT_EQ(resolve("target_session_attrs=any").target_session_attrs, TargetSessionAttrs::any);
}

TEST_F(ResolveConnection, TakesTheEnvironmentForWhatIsNotWritten) {
  const Variables variables = {{"PGHOST", "env"},          {"PGPORT", "1"},
                               {"PGUSER", "eu"},           {"PGDATABASE", "ed"},
                               {"PGPASSWORD", "ep"},       {"PGSSLMODE", "require"},
                               {"PGCONNECT_TIMEOUT", "3"}, {"PGAPPNAME", "ea"},
                               {"PGOPTIONS", "-c a=b"},    {"PGTARGETSESSIONATTRS", "standby"}};
  ConnectionTarget target = resolve("", variables);
  EXPECT_EQ(target.hosts[0].name, "env");
  EXPECT_EQ(target.hosts[0].port, 1);
  EXPECT_EQ(target.hosts[0].password, "ep");
  EXPECT_EQ(target.user, "eu");
  EXPECT_EQ(target.database, "ed");
  EXPECT_EQ(target.ssl_mode, SslMode::require);
  EXPECT_EQ(target.connect_timeout, 3s);
  EXPECT_EQ(target.application_name, "ea");
  EXPECT_EQ(target.options, "-c a=b");
  EXPECT_EQ(target.target_session_attrs, TargetSessionAttrs::standby);
  target = resolve("postgresql://u:p@h:2/d?sslmode=disable", variables);
  EXPECT_EQ(target.hosts[0].name, "h");
  EXPECT_EQ(target.hosts[0].port, 2);
  EXPECT_EQ(target.hosts[0].password, "p");
  EXPECT_EQ(target.user, "u");
  EXPECT_EQ(target.database, "d");
  EXPECT_EQ(target.ssl_mode, SslMode::disable);
  // Written as empty is not left open, but means the default.
  EXPECT_EQ(resolve("host=''", variables).hosts[0].name, "/var/run/postgresql");
  EXPECT_EQ(resolve("", {{"PGREQUIRESSL", "1"}}).ssl_mode, SslMode::require);
}

TEST_F(ResolveConnection, MatchesTheListsOfHostsAddressesAndPorts) {
  ConnectionTarget target = resolve("host=a,,@s hostaddr=1.1.1.1,, port=1,,3");
  ASSERT_EQ(target.hosts.size(), 3u);
  EXPECT_EQ(target.hosts[0].name, "a");
  EXPECT_EQ(target.hosts[0].address, "1.1.1.1");
  EXPECT_EQ(target.hosts[1].name, "/var/run/postgresql");
  EXPECT_EQ(target.hosts[1].port, 5432);
  EXPECT_EQ(target.hosts[2].name, "@s");
  EXPECT_EQ(target.hosts[2].port, 3);
  target = resolve("hostaddr=1.1.1.1,::1 port=9");
  EXPECT_EQ(target.hosts[1].address, "::1");
  EXPECT_EQ(target.hosts[1].port, 9);
  EXPECT_EQ(error_of("host=a,b hostaddr=1.1.1.1"),
            "the connection has 2 host names but 1 hostaddr values: give one for each");
  EXPECT_EQ(error_of("host=a,b port=1,2,3"),
            "the connection has 3 ports but 2 hosts: give one port for all or one for each");
  for (const char* port : {"0", "65536", "-1", "x", "1x", "99999999999999999999"}) {
    EXPECT_EQ(
        error_of(std::string("port=") + port),
        "\"" + std::string(port) + "\" is no port: the connection's port must be from 1 to 65535");
  }
  EXPECT_NE(error_of("host=/" + std::string(100, 'x')), "resolved");
}

TEST_F(ResolveConnection, FindsThePasswordOfEachHost) {
  write(".pgpass", "a:5432:d:u:pa\nb:1:d:u:pb\n1.1.1.1:5432:*:*:pc\n");
  ConnectionTarget target =
      resolve("host=a,b, hostaddr=,,1.1.1.1 port=5432,1,5432 user=u dbname=d");
  EXPECT_EQ(target.hosts[0].password, "pa");
  EXPECT_EQ(target.hosts[1].password, "pb");
  EXPECT_EQ(target.hosts[2].password, "pc");
  EXPECT_EQ(resolve("host=a user=u dbname=d", {}, "file").hosts[0].password, "file");
  EXPECT_EQ(resolve("host=a user=u dbname=d password=w", {}, "file").hosts[0].password, "file");
  EXPECT_EQ(resolve("host=a user=u dbname=d", {{"PGPASSWORD", "e"}}).hosts[0].password, "e");
  const std::string other = write("other", "*:*:*:*:po\n");
  EXPECT_EQ(resolve("host=a", {{"PGPASSFILE", other}}).hosts[0].password, "po");
  EXPECT_EQ(resolve("host=a passfile=" + other).hosts[0].password, "po");
  EXPECT_TRUE(warnings_.empty());
  chmod(other.c_str(), 0644);
  EXPECT_EQ(resolve("host=a passfile=" + other).hosts[0].password, "");
  EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(ResolveConnection, FindsTheFilesOfTls) {
  EXPECT_EQ(error_of("host=h sslmode=verify-full"),
            "sslmode=verify-ca and verify-full need a root certificate, but " +
                (home_ / ".postgresql/root.crt").string() +
                " does not exist: provide the file, or name it with sslrootcert=");
  std::vector<std::string> warnings;
  LibpqSurroundings elsewhere{overrides_of({}).environment, home_.string(), "os_user", false};
  EXPECT_EQ(resolve_connection(parse_connection_string("sslmode=verify-full host=h"), std::nullopt,
                               elsewhere, warnings)
                .ssl_mode,
            SslMode::verify_full);
  const std::string root = write(".postgresql/root.crt", "");
  const std::string revoked = write(".postgresql/root.crl", "");
  const std::string certificate = write(".postgresql/postgresql.crt", "");
  const std::string key = home_ / ".postgresql/postgresql.key";
  EXPECT_EQ(error_of(""), "there is a client certificate " + certificate +
                              ", but its private key file " + key +
                              " can't be read: No such file or directory");
  write(".postgresql/postgresql.key", "", 0644);
  EXPECT_EQ(error_of(""), "the private key file " + key +
                              " must be a plain file with permissions 0600 or less (0640 if it "
                              "belongs to root)");
  chmod(key.c_str(), 0600);
  ConnectionTarget target = resolve("sslmode=verify-full sslpassword=x");
  EXPECT_EQ(target.ssl_root_cert, root);
  EXPECT_EQ(target.ssl_crl, revoked);
  EXPECT_EQ(target.ssl_cert, certificate);
  EXPECT_EQ(target.ssl_key, key);
  EXPECT_EQ(target.ssl_password, "x");
  EXPECT_EQ(target.ssl_crl_dir, "");
  // As libpq: root.crl only where neither is named.
  EXPECT_EQ(resolve("sslcrldir=/crls").ssl_crl_dir, "/crls");
  EXPECT_EQ(resolve("sslcrldir=/crls").ssl_crl, "");
  EXPECT_EQ(resolve("sslcrldir=/crls sslcrl=" + revoked).ssl_crl, revoked);
  EXPECT_EQ(resolve("", {{"PGSSLCRLDIR", "/crls"}}).ssl_crl_dir, "/crls");
  EXPECT_FALSE(target.ssl_cert_required);
  EXPECT_TRUE(resolve("sslcertmode=require").ssl_cert_required);
  EXPECT_TRUE(resolve("", {{"PGSSLCERTMODE", "require"}}).ssl_cert_required);
  EXPECT_EQ(resolve("sslcertmode=disable").ssl_cert, "");
  EXPECT_EQ(resolve("sslmode=disable").ssl_root_cert, "");
  // As libpq: only a mode that verifies needs the file.
  EXPECT_EQ(resolve("sslmode=require sslrootcert=/nowhere").ssl_root_cert, "");
  EXPECT_NE(error_of("host=h sslmode=verify-ca sslrootcert=/nowhere"), "resolved");
  EXPECT_EQ(resolve("sslrootcert=system").ssl_mode, SslMode::verify_full);
  EXPECT_NE(error_of("sslrootcert=system sslmode=require"), "resolved");
}

TEST_F(ResolveConnection, NeedsTheCertificateThatMustBeShown) {
  EXPECT_EQ(error_of("sslcertmode=require"),
            "sslcertmode=require needs a client certificate, but " +
                (home_ / ".postgresql/postgresql.crt").string() +
                " does not exist: provide the file, or name it with sslcert=");
  EXPECT_EQ(error_of("sslcertmode=require sslmode=disable"),
            "sslcertmode=require needs TLS, but sslmode is disable");
  std::vector<std::string> warnings;
  LibpqSurroundings elsewhere{overrides_of({}).environment, home_.string(), "os_user", false};
  EXPECT_TRUE(resolve_connection(parse_connection_string("sslcertmode=require"), std::nullopt,
                                 elsewhere, warnings)
                  .ssl_cert_required);
}

TEST_F(ResolveConnection, TakesTheUserBehindASocket) {
  EXPECT_EQ(resolve("").require_peer, "");
  EXPECT_EQ(resolve("requirepeer=postgres").require_peer, "postgres");
  EXPECT_EQ(resolve("", {{"PGREQUIREPEER", "pg"}}).require_peer, "pg");
}

TEST_F(ResolveConnection, TakesWhatAServiceAdds) {
  write(".pg_service.conf", "[shop]\nhost=a,b\nport=1,2\nuser=su\npassword=sp\nsslmode=require\n");
  ConnectionTarget target = resolve("service=shop user=u", {{"PGUSER", "e"}, {"PGDATABASE", "e"}});
  ASSERT_EQ(target.hosts.size(), 2u);
  EXPECT_EQ(target.hosts[1].name, "b");
  EXPECT_EQ(target.hosts[1].port, 2);
  EXPECT_EQ(target.hosts[1].password, "sp");
  EXPECT_EQ(target.user, "u");
  EXPECT_EQ(target.database, "e");
  EXPECT_EQ(target.ssl_mode, SslMode::require);
  EXPECT_EQ(resolve("", {{"PGSERVICE", "shop"}, {"PGUSER", "e"}}).user, "su");
  EXPECT_EQ(resolve("service=shop", {}, "file").hosts[0].password, "file");
}

TEST_F(ResolveConnection, FindsAServiceInItsFiles) {
  const auto database = [&](const std::string& text, Variables variables) {
    variables.emplace("PGSYSCONFDIR", home_ / "etc");
    return resolve(text, variables).database;
  };
  const auto error = [&](const std::string& text, Variables variables) {
    variables.emplace("PGSYSCONFDIR", home_ / "etc");
    return error_of(text, variables);
  };
  EXPECT_EQ(error("service=a", {}), "there is no service file to look for service \"a\" in");
  std::filesystem::create_directory(home_ / "etc");
  const std::string everyones = write("etc/pg_service.conf", "[a]\ndbname=1\n[b]\ndbname=1\n");
  EXPECT_EQ(database("service=a", {}), "1");
  const std::string own = write(".pg_service.conf", "[a]\ndbname=2\n");
  EXPECT_EQ(database("service=a", {}), "2");
  EXPECT_EQ(database("service=b", {}), "1");
  EXPECT_EQ(error("service=c", {}), "service \"c\" is not defined in " + own + " or " + everyones);
  const std::string other = write("other", "[a]\ndbname=3\n");
  EXPECT_EQ(database("service=a", {{"PGSERVICEFILE", other}}), "3");
  EXPECT_EQ(database("service=b", {{"PGSERVICEFILE", other}}), "1");
  EXPECT_EQ(database("service=a servicefile=" + other, {{"PGSERVICEFILE", own}}), "3");
  EXPECT_EQ(error("service=b", {{"PGSERVICEFILE", "/nowhere"}}),
            "the service file /nowhere can't be read: No such file or directory");
}

TEST_F(ResolveConnection, LeavesTheServiceOpenIfItsFileMayBeElsewhere) {
  std::vector<std::string> warnings;
  const Variables variables = {{"PGSYSCONFDIR", home_}};
  LibpqSurroundings elsewhere{overrides_of(variables).environment, home_.string(), "", false};
  // Without the service there seem to be two ports for one host, and no user.
  const auto keywords = parse_connection_string("service=x port=1,2");
  EXPECT_TRUE(resolve_connection(keywords, std::nullopt, elsewhere, warnings).hosts.empty());
  write(".pg_service.conf", "[x]\nhost=a,b\nuser=u\n");
  EXPECT_EQ(resolve_connection(keywords, std::nullopt, elsewhere, warnings).hosts.size(), 2u);
}

TEST_F(ResolveConnection, RefusesWhatItCantHonour) {
  EXPECT_EQ(
      error_of("sslkeylogfile=/x"),
      "the connection's sslkeylogfile is not available in this version of pgcourier: TLS keys "
      "are never written to a file");
  for (const char* text :
       {"oauth_issuer=x", "oauth_client_id=x", "scram_client_key=x", "sslkeylogfile=/x"}) {
    EXPECT_NE(error_of(text).find("not available in this version of pgcourier"), std::string::npos)
        << text;
  }
  for (const char* text : {"sslcertmode=allow", "sslcompression=1", "replication=database"}) {
    EXPECT_EQ(error_of(text), "resolved");
  }
}

TEST_F(ResolveConnection, RefusesValuesThatLibpqRefuses) {
  EXPECT_EQ(
      error_of("sslmode=on"),
      "the connection's sslmode can't be \"on\", only one of: disable, allow, prefer, require, "
      "verify-ca, verify-full");
  EXPECT_EQ(error_of("connect_timeout=soon"),
            "the connection's connect_timeout must be an integer, \"soon\" is none");
  for (const char* text : {"sslmode=''",
                           "channel_binding=yes",
                           "target_session_attrs=master",
                           "gssencmode=x",
                           "gssencmode=''",
                           "gsslib=sspi",
                           "ssl_min_protocol_version=SSLv3",
                           "ssl_max_protocol_version=TLSv1.1",
                           "connect_timeout=''",
                           "keepalives=x",
                           "keepalives_idle=x",
                           "tcp_user_timeout=1s",
                           "load_balance_hosts=x",
                           "sslnegotiation=''",
                           "sslnegotiation=x",
                           "max_protocol_version=3.1",
                           "max_protocol_version=''",
                           "min_protocol_version=LATEST",
                           "min_protocol_version=3.2 max_protocol_version=3.0",
                           "require_auth=md5,!password",
                           "require_auth=ident",
                           "require_auth=md5,md5"}) {
    EXPECT_NE(error_of(text), "resolved") << text;
  }
}

TEST_F(ResolveConnection, UsesGssapiAsLibpqDoes) {
  const ConnectionTarget plain = resolve("host=a");
  EXPECT_EQ(plain.gss_enc_mode, GssEncMode::prefer);
  EXPECT_EQ(plain.krb_srv_name, "postgres");
  EXPECT_FALSE(plain.gss_delegation);

  const ConnectionTarget target =
      resolve("host=a gssencmode=require krbsrvname=pg gssdelegation=1 gsslib=gssapi");
  EXPECT_EQ(target.gss_enc_mode, GssEncMode::require);
  EXPECT_EQ(target.krb_srv_name, "pg");
  EXPECT_TRUE(target.gss_delegation);

  EXPECT_EQ(resolve("host=a", {{"PGGSSENCMODE", "disable"}}).gss_enc_mode, GssEncMode::disable);
  EXPECT_EQ(resolve("host=a", {{"PGKRBSRVNAME", "pg"}}).krb_srv_name, "pg");
  EXPECT_TRUE(resolve("host=a", {{"PGGSSDELEGATION", "1"}}).gss_delegation);
}

TEST_F(ResolveConnection, NeverRequiresGssapiEncryptionOverASocket) {
  for (const char* host : {"host=/run", "host=@abstract", "host=a,/run"}) {
    EXPECT_NE(error_of(std::string(host) + " gssencmode=require").find("Unix-domain socket"),
              std::string::npos)
        << host;
  }
  EXPECT_EQ(error_of("host=/run gssencmode=prefer"), "resolved");
}

TEST_F(ResolveConnection, StartsTlsDirectlyOnlyWhereNothingElseWillDo) {
  EXPECT_FALSE(resolve("sslmode=require").ssl_direct);
  EXPECT_FALSE(resolve("sslnegotiation=postgres").ssl_direct);
  EXPECT_TRUE(resolve("sslmode=require sslnegotiation=direct").ssl_direct);
  EXPECT_TRUE(resolve("sslrootcert=system sslnegotiation=direct").ssl_direct);
  EXPECT_TRUE(resolve("sslmode=require", {{"PGSSLNEGOTIATION", "direct"}}).ssl_direct);
  for (const char* text : {"", "sslmode=disable", "sslmode=allow", "sslmode=prefer"}) {
    EXPECT_EQ(error_of(std::string(text) + " sslnegotiation=direct"),
              "sslmode is too weak for sslnegotiation=direct: use sslmode=require, verify-ca or "
              "verify-full");
  }
}

TEST_F(ResolveConnection, AsksForTheProtocolVersionThatLibpqAsksFor) {
  const auto versions = [this](std::string_view text, const Variables& variables = {}) {
    const ConnectionTarget target = resolve(text, variables);
    return std::pair(target.min_protocol_version & 0xffff, target.max_protocol_version & 0xffff);
  };
  EXPECT_EQ(resolve("").max_protocol_version >> 16, 3U);
  EXPECT_EQ(versions(""), std::pair(0U, 0U));
  EXPECT_EQ(versions("max_protocol_version=3.0 min_protocol_version=3.0"), std::pair(0U, 0U));
  EXPECT_EQ(versions("max_protocol_version=3.2"), std::pair(0U, 2U));
  EXPECT_EQ(versions("max_protocol_version=latest"), std::pair(0U, 2U));
  EXPECT_EQ(versions("min_protocol_version=3.2"), std::pair(2U, 2U));
  EXPECT_EQ(versions("", {{"PGMAXPROTOCOLVERSION", "latest"}}), std::pair(0U, 2U));
  EXPECT_EQ(versions("", {{"PGMINPROTOCOLVERSION", "latest"}}), std::pair(2U, 2U));
}

TEST_F(ResolveConnection, ReadsTimesAsLibpqDoes) {
  EXPECT_EQ(resolve("connect_timeout=1").connect_timeout, 2s);
  EXPECT_EQ(resolve("connect_timeout=0").connect_timeout, 0s);
  EXPECT_EQ(resolve("connect_timeout=-5").connect_timeout, 0s);
  const ConnectionTarget target = resolve(
      "keepalives=0 keepalives_idle=-1 keepalives_interval=7 keepalives_count=3 "
      "tcp_user_timeout=250 ssl_min_protocol_version=tlsv1.3 sslsni=0 require_auth=!md5 "
      "fallback_application_name=f");
  EXPECT_FALSE(target.keepalives);
  EXPECT_EQ(target.keepalives_idle, 0s);
  EXPECT_EQ(target.keepalives_interval, 7s);
  EXPECT_EQ(target.keepalives_count, 3);
  EXPECT_EQ(target.tcp_user_timeout, 250ms);
  EXPECT_EQ(target.ssl_min_protocol_version, "TLSv1.3");
  EXPECT_FALSE(target.ssl_sni);
  EXPECT_EQ(target.require_auth, "!md5");
  EXPECT_EQ(target.application_name, "f");
}

TEST_F(ResolveConnection, SaysWhatHasNoEffect) {
  resolve("load_balance_hosts=random client_encoding=LATIN1");
  EXPECT_EQ(warnings_.size(), 2u);
}

}  // namespace
}  // namespace pgcourier::config
