// Start-up with libpq and with ours, from the same connection string: hosts, authentication,
// parameters, refusals.
#include "tests/replication/live_oracle_test.hpp"

namespace pgcourier::replication {
namespace {

using test::environment;

class LiveOracleConnection : public test::LiveOracle {
 protected:
  static std::string port(int major) { return environment("PGCOURIER_TEST_PORT", major); }
  static inline const std::string standby = environment("PGCOURIER_TEST_STANDBY_PORT", debian);
};

TEST_F(LiveOracleConnection, AuthenticatesByEachMethod) {
  for (const std::string mode : {"disable", "allow", "prefer", "require"}) {
    for (const std::string user :
         {"trust_user", "password_user", "md5_user", "scram_user", "nobody"}) {
      for (const std::string password : {" password=pencil", " password=pen", " password=''", ""}) {
        for (const std::string binding : {"disable", "prefer", "require"}) {
          connects(on(15) + " user=" + user + password + " sslmode=" + mode +
                   " channel_binding=" + binding);
        }
      }
    }
  }
  connects(on(15) + " channel_binding=always");
}

TEST_F(LiveOracleConnection, FindsTheHostWithTheWantedAttributes) {
  const std::string one = port(15);
  const std::string closed = "1";
  const std::vector<std::string> lists = {one,
                                          standby,
                                          closed,
                                          one + "," + standby,
                                          standby + "," + one,
                                          closed + "," + one + "," + standby,
                                          closed + "," + standby + "," + one,
                                          one + "," + closed,
                                          closed + "," + closed};
  for (const std::string wanted :
       {"any", "read-write", "read-only", "primary", "standby", "prefer-standby", "master"}) {
    for (const auto& ports : lists) {
      const auto count = std::count(ports.begin(), ports.end(), ',');
      std::string hosts = "127.0.0.1";
      for (auto i = 0; i < count; ++i) hosts += ",127.0.0.1";
      connects(on(15) + " host=" + hosts + " port=" + ports + " target_session_attrs=" + wanted);
    }
  }
}

TEST_F(LiveOracleConnection, MatchesHostsAddressesAndPorts) {
  const std::string one = port(15);
  const std::string sockets = environment("PGCOURIER_TEST_SOCKETS");
  const std::vector<std::string> places = {
      "host=nowhere.invalid,127.0.0.1 port=" + one,
      "host=::1 port=" + one,
      "host=localhost port=" + one,
      "host=" + sockets + " port=" + one,
      "host=@pgcourier-" + one + " port=" + one,
      "host=" + sockets + "/none," + sockets,
      "host=nowhere.invalid hostaddr=127.0.0.1",
      "host='' hostaddr=::1",
      "host=a,b hostaddr=127.0.0.1",
      "host=a,b port=1,2,3",
      "host=127.0.0.1,127.0.0.1 port=1," + one,
      "port=0",
      "port=65536",
      "port=x",
      "hostaddr=nonsense port=" + one,
      "host=nowhere.invalid,127.0.0.1 port=" + one + " dbname=nothing",
      "host=127.0.0.1,localhost dbname=nothing port=" + one,
      "host=127.0.0.1,localhost user=nobody port=" + one};
  for (const auto& hosts : places) {
    connects(on(15) + " " + hosts);
  }
}

TEST_F(LiveOracleConnection, ReadsTheStringAlike) {
  const std::string one = port(15);
  const std::vector<std::string> uris = {
      "postgresql://scram_user:pencil@127.0.0.1:" + one + "/postgres?target_session_attrs=any",
      "postgres://scram_user:p%65ncil@127.0.0.1:" + one +
          "/postgres?sslmode=require&target_session_attrs=any&application_name=a%20b",
      "postgresql://postgres@127.0.0.1:1,127.0.0.1:" + one + "/postgres?target_session_attrs=any",
      "postgresql://postgres@[::1]:" + one + "/?dbname=postgres&target_session_attrs=any",
      "postgresql://postgres@127.0.0.1:" + one + "/postgres?ssl=true&target_session_attrs=any",
      "postgresql://postgres@127.0.0.1:" + one + "/postgres?nonsense=1",
      "postgresql://postgres@127.0.0.1:" + one + "/post%zzgres",
      "postgresql://[::1:" + one + "/postgres"};
  for (const auto& connection : uris) {
    connects(connection);
  }
  for (const std::string words : {"application_name='it\\'s'",
                                  "application_name=a\\ b",
                                  "application_name = spaced",
                                  "application_name='open",
                                  "application_name",
                                  "nonsense=1",
                                  "requiressl=1",
                                  "fallback_application_name=fallen",
                                  "fallback_application_name=a application_name=b",
                                  "sslmode=wrong",
                                  "sslmode=REQUIRE",
                                  "connect_timeout=-1",
                                  "keepalives=x",
                                  "keepalives=0",
                                  "tcp_user_timeout=100000",
                                  "dbname=''",
                                  "sslsni=0",
                                  "requirepeer=somebody",
                                  "gssencmode=disable",
                                  "gssencmode=require",
                                  "gssencmode=x",
                                  "sslcompression=1"}) {
    connects(on(15) + " " + words);
  }
}

TEST_F(LiveOracleConnection, DiffersWhereAStreamOfChangesNeedsIt) {
  for (const std::string& hosts : {"host=127.0.0.1 port=" + standby,
                                   "host=127.0.0.1,127.0.0.1 port=" + standby + "," + port(15)}) {
    const std::string connection = hosts + " user=postgres dbname=postgres";
    connects_otherwise(connection, connection + " target_session_attrs=primary",
                       "slots and publications are made on a primary; libpq's default is any");
  }
  connects_otherwise(on(15) + " client_encoding=latin1", on(15),
                     "values are always UTF-8: session_settings.hpp, and a warning says so");
}

TEST_F(LiveOracleConnection, TakesOptionsOnEachMajor) {
  for (const int major : majors) {
    for (const std::string options :
         {"-c work_mem=77kB", "-c work_mem=77kB -c geqo=off", "--work-mem=77kB",
          "-c application_name=of\\\\ options", "-c nonsense=1", "-c nonsense.mine=1",
          "-c work_mem=x", "-c work_mem=1", "-c client_encoding=nonsense", "-c port=1",
          "-c wal_level=minimal", "-z", "nonsense", "-c"}) {
      connects(on(major) + " options='" + options + "'");
    }
  }
}

TEST_F(LiveOracleConnection, IsRefusedForTheSameReason) {
  test::Session session(target());
  for (const std::string name : {"crowded", "closed", "private"}) {
    session.query("DROP DATABASE IF EXISTS " + name);
    session.query("CREATE DATABASE " + name);
  }
  session.query("ALTER DATABASE crowded CONNECTION LIMIT 0");
  session.query("ALTER DATABASE closed ALLOW_CONNECTIONS false");
  session.query("REVOKE CONNECT ON DATABASE private FROM public");
  for (const std::string mode : {"disable", "allow", "prefer", "require"}) {
    for (const std::string words :
         {"dbname=nothing", "dbname=nothing user=trust_user", "user=nobody",
          "dbname=crowded user=trust_user", "dbname=crowded", "dbname=closed",
          "dbname=private user=trust_user", "dbname=private user=postgres",
          "dbname=nothing user=scram_user password=wrong", "dbname=nothing user=tls_user",
          "dbname=nothing user=plain_user"}) {
      connects(on(15) + " sslmode=" + mode + " " + words);
    }
  }
}

TEST_F(LiveOracleConnection, TalksToAWalsender) {
  for (const int major : majors) {
    for (const std::string mode : {"disable", "require"}) {
      const std::string postgres = on(major) + " sslmode=" + mode + " application_name=w ";
      connects(postgres + "replication=database");
      connects(postgres + "replication=database dbname=nothing");
      connects(postgres + "replication=database options='-c work_mem=77kB'");
      connects(postgres + "replication=database user=nobody");
      for (const std::string physical : {"true", "on", "1"}) {
        same(postgres + "replication=" + physical, [](test::Side& side) {
          for (const auto* command : {"SHOW application_name", "SELECT 1", "NONSENSE",
                                      "DROP_REPLICATION_SLOT nothing", "SHOW nothing"}) {
            side.simple(command);
          }
        });
      }
    }
  }
  for (const std::string mode : {"disable", "allow", "prefer", "require"}) {
    for (const std::string user : {"trust_user", "scram_user password=pencil", "nobody"}) {
      connects(on(15) + " sslmode=" + mode + " replication=true user=" + user);
    }
  }
}

}  // namespace
}  // namespace pgcourier::replication
