// Every sslmode with libpq and with ours: who is let in, and with which TLS.
#include "tests/replication/live_oracle_test.hpp"

namespace pgcourier::replication {
namespace {

using test::certificate;

class LiveOracleTls : public test::LiveOracle {
 protected:
  static std::string root(const std::string& file) {
    return file.empty() ? "" : " sslrootcert=" + certificate(file);
  }
  static std::string shown(const std::string& name) {
    return name.empty()
               ? ""
               : " sslcert=" + certificate(name + ".crt") + " sslkey=" + certificate(name + ".key");
  }
};

constexpr const char* modes[] = {"disable", "allow",     "prefer",
                                 "require", "verify-ca", "verify-full"};
constexpr const char* roots[] = {"", "root.crt", "other_root.crt", "missing.crt"};

TEST_F(LiveOracleTls, LetsInWhomTheServerWantsWithEachRootAndCertificate) {
  for (const std::string user : {"postgres", "tls_user", "plain_user", "cert_user", "nobody"}) {
    for (const std::string mode : modes) {
      for (const std::string file : roots) {
        for (const std::string certificate : {"", "client", "other_root", "missing"}) {
          const std::string connection =
              on(15) + " user=" + user + " sslmode=" + mode + root(file) + shown(certificate);
          connects(connection);
          // There a certificate that the server refuses ends the handshake, not what follows it.
          if (mode == "prefer" && certificate == "other_root") {
            connects(connection + " ssl_max_protocol_version=TLSv1.2");
          }
        }
      }
    }
  }
}

TEST_F(LiveOracleTls, VerifiesTheHost) {
  for (const std::string mode : modes) {
    for (const std::string host :
         {"host=localhost", "host=127.0.0.1", "host=localhost hostaddr=127.0.0.1",
          "host=db1.wild.test hostaddr=127.0.0.1", "host=wild.test hostaddr=127.0.0.1",
          "host=a.b.wild.test hostaddr=127.0.0.1", "host=LOCALHOST hostaddr=127.0.0.1",
          "host=127.0.0.2 hostaddr=127.0.0.1", "host='' hostaddr=127.0.0.1"}) {
      connects(on(15) + " " + host + " sslmode=" + mode + root("root.crt"));
    }
  }
}

TEST_F(LiveOracleTls, HonoursRevocationsVersionsAndPassphrases) {
  const std::string verify = on(15) + " host=localhost sslmode=verify-full" + root("root.crt");
  for (const std::string crl : {"nothing_revoked.crl", "server_revoked.crl", "missing.crl"}) {
    connects(verify + " sslcrl=" + certificate(crl));
  }
  for (const std::string folder : {"nothing_revoked", "server_revoked", "missing"}) {
    connects(verify + " sslcrldir=" + certificate(folder));
  }
  for (const std::string versions :
       {"ssl_max_protocol_version=TLSv1.2", "ssl_min_protocol_version=TLSv1.3",
        "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
        "ssl_max_protocol_version=SSLv3", "ssl_max_protocol_version=tlsv1.2",
        "ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.1"}) {
    for (const std::string mode : {"disable", "prefer", "require"}) {
      connects(on(15) + " sslmode=" + mode + " " + versions);
    }
  }
  for (const std::string key :
       {"client_locked.key sslpassword=sesame", "client_locked.key sslpassword=wrong",
        "client_open.key", "other_root.key", "client.crt"}) {
    const std::string connection = on(15) + " user=cert_user sslcert=" + certificate("client.crt") +
                                   " sslkey=" + certificate(key);
    connects(connection + " sslmode=disable");
    connects(connection + " sslmode=require");
    if (key.ends_with("sesame")) {
      connects(connection + " sslmode=prefer");
    } else {
      connects_otherwise(connection + " sslmode=prefer", connection + " sslmode=require",
                         "a key that can't be used is told, instead of going on without TLS");
    }
  }
}

TEST_F(LiveOracleTls, NeedsNoTlsOverAUnixSocket) {
  for (const std::string mode : modes) {
    for (const std::string file : roots) {
      connects(on(15) + " host=" + test::environment("PGCOURIER_TEST_SOCKETS") +
               " sslmode=" + mode + root(file));
    }
  }
}

}  // namespace
}  // namespace pgcourier::replication
