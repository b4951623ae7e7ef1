// What connection strings can say since libpq 16, 17 and 18, with such a libpq and with ours:
// run.py
// --libpq 18.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "protocol/base64.hpp"
#include "tests/replication/live_oracle_test.hpp"

namespace pgcourier::replication {
namespace {

using test::certificate;

class LiveOracleNewer : public test::LiveOracle {
 protected:
  static void look_at_all(test::Side& side) {
    look(side);
    if (side.connected()) side.tell_protocol_version();
  }
  static void connects(const std::string& connection) { same(connection, look_at_all); }

  // libpq does, ours does not, for the reason given.
  static void only_libpq_connects(const std::string& connection, const std::string& reason) {
    SCOPED_TRACE(connection);
    EXPECT_TRUE(test::libpq_side(connection)->connected()) << reason;
    EXPECT_FALSE(test::our_side(connection)->connected()) << reason;
  }
  // Of scram_user, RFC 5802 §3: the server has a salt, a count, and its own key.
  static std::string scram_keys(const std::string& password) {
    test::Session sql(target());
    const auto part = [&](const std::string& pattern) {
      return sql.value("SELECT substring(rolpassword from '" + pattern +
                       "') FROM pg_authid WHERE rolname = 'scram_user'");
    };
    const std::string salt = protocol::decode_base64(part(":([^$]*)[$]")).value();
    unsigned char salted[32], key[32];
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()),
                      static_cast<int>(salt.size()), std::stoi(part("[$]([0-9]*):")), EVP_sha256(),
                      sizeof(salted), salted);
    HMAC(EVP_sha256(), salted, sizeof(salted), reinterpret_cast<const unsigned char*>("Client Key"),
         10, key, nullptr);
    return " scram_client_key=" +
           protocol::encode_base64({reinterpret_cast<const char*>(key), sizeof(key)}) +
           " scram_server_key=" + part("[$].*[$].*:(.*)");
  }
  static std::string shown(const std::string& name) {
    return " sslcert=" + certificate(name + ".crt") + " sslkey=" + certificate(name + ".key");
  }
};

constexpr const char* lists_of_methods[] = {"none",
                                            "password",
                                            "md5",
                                            "scram-sha-256",
                                            "gss",
                                            "sspi",
                                            "oauth",
                                            "!none",
                                            "!password",
                                            "!md5",
                                            "!scram-sha-256",
                                            "!password,!md5",
                                            "password,md5",
                                            "md5,scram-sha-256,none",
                                            "none,none",
                                            "password,!md5",
                                            "nonsense",
                                            "!nonsense",
                                            "!",
                                            ",",
                                            "none,",
                                            "NONE"};

TEST_F(LiveOracleNewer, HonoursRequireAuth) {
  for (const std::string required : lists_of_methods) {
    for (const std::string user : {"trust_user", "password_user", "md5_user", "scram_user"}) {
      for (const std::string mode : {"disable", "allow", "require"}) {
        connects(on(15) + " password=pencil user=" + user + " sslmode=" + mode +
                 " require_auth=" + required);
      }
    }
    connects(on(15) + " user=cert_user sslmode=require require_auth=" + required + shown("client"));
    connects(on(15) + " user=scram_user password=pencil sslmode=require channel_binding=require" +
             " require_auth=" + required);
  }
}

TEST_F(LiveOracleNewer, DiffersWhereAWordHasNoValue) {
  constexpr const char* reason = "ours takes it as not written; libpq refuses all that it could do";
  for (const std::string user : {"password_user", "md5_user", "scram_user"}) {
    const std::string connection = on(15) + " password=pencil user=" + user;
    connects_otherwise(connection + " require_auth=''", connection, reason);
  }
  for (const std::string word : {"scram_client_key", "scram_server_key"}) {
    connects_otherwise(on(18) + " " + word + "=''", on(18), reason);
  }
}

TEST_F(LiveOracleNewer, NegotiatesTheVersionOfTheProtocol) {
  for (const int major : majors) {
    for (const std::string oldest : {"", "3.0", "3.2", "latest"}) {
      for (const std::string newest : {"", "3.0", "3.2", "latest"}) {
        connects(on(major) + (oldest.empty() ? "" : " min_protocol_version=" + oldest) +
                 (newest.empty() ? "" : " max_protocol_version=" + newest));
      }
    }
  }
  for (const std::string version : {"3.1", "3", "2.0", "4.0", "3.3", "LATEST", "''", "x"}) {
    connects(on(18) + " min_protocol_version=" + version);
    connects(on(18) + " max_protocol_version=" + version);
  }
}

TEST_F(LiveOracleNewer, BeginsWithTlsAtOnce) {
  for (const int major : majors) {
    for (const std::string mode :
         {"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}) {
      for (const std::string negotiation : {"direct", "postgres", "nonsense", "''"}) {
        connects(on(major) + " host=localhost hostaddr=127.0.0.1 sslnegotiation=" + negotiation +
                 " sslrootcert=" + certificate("root.crt") +
                 (mode.empty() ? "" : " sslmode=" + mode));
      }
    }
  }
  for (const std::string versions :
       {"ssl_max_protocol_version=TLSv1.2", "ssl_min_protocol_version=TLSv1.3"}) {
    connects(on(18) + " sslnegotiation=direct sslmode=require " + versions);
  }
  connects(on(18) + " sslnegotiation=direct sslmode=require host=" +
           test::environment("PGCOURIER_TEST_SOCKETS"));
}

TEST_F(LiveOracleNewer, BelievesTheRootsOfTheSystem) {
  for (const std::string roots : {"root.crt", "other_root.crt", "missing.crt"}) {
    ::setenv("SSL_CERT_FILE", certificate(roots).c_str(), 1);
    SCOPED_TRACE(roots);
    for (const std::string mode :
         {"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}) {
      for (const std::string host : {"localhost", "wrong.test"}) {
        connects(on(18) + " host=" + host + " hostaddr=127.0.0.1 sslrootcert=system" +
                 (mode.empty() ? "" : " sslmode=" + mode));
      }
    }
  }
  ::unsetenv("SSL_CERT_FILE");
}

TEST_F(LiveOracleNewer, ShowsItsCertificateOrNot) {
  for (const std::string when : {"disable", "allow", "require", "nonsense", "''"}) {
    for (const std::string user : {"postgres", "cert_user", "tls_user"}) {
      for (const std::string mode : {"disable", "require"}) {
        for (const std::string name : {"", "client", "missing"}) {
          const std::string connection = on(15) + " user=" + user + " sslmode=" + mode +
                                         " sslcertmode=" + when + (name.empty() ? "" : shown(name));
          const bool refused_by_the_server = (mode == "disable" && user != "postgres") ||
                                             (name != "client" && user == "cert_user");
          if (when == "require" && refused_by_the_server) {
            connects_otherwise(connection, connection + " sslmode=nonsense",
                               "a certificate that can't be shown is told before anything is sent");
          } else {
            connects(connection);
          }
        }
      }
    }
  }
}

TEST_F(LiveOracleNewer, TakesTheRestOfTheWords) {
  for (const std::string words :
       {"load_balance_hosts=disable", "load_balance_hosts=random", "load_balance_hosts=x",
        "gssdelegation=0", "gssdelegation=1", "gssdelegation=x", "scram_client_key=x",
        "scram_server_key=x", "servicefile=/nowhere service=none", "oauth_client_id=''",
        "nonsense=1"}) {
    connects(on(18) + " " + words);
  }
  only_libpq_connects(on(15) + " user=scram_user" + scram_keys("pencil"),
                      "SCRAM keys are not taken, but the password");
  only_libpq_connects(on(18) + " sslmode=require sslkeylogfile=" +
                          test::environment("PGCOURIER_TEST_SOCKETS") + "/keys",
                      "TLS keys are never written to a file");
  for (const std::string word : {"oauth_client_id", "oauth_client_secret", "oauth_scope"}) {
    only_libpq_connects(on(18) + " " + word + "=x", "tokens come from the settings");
  }
}

}  // namespace
}  // namespace pgcourier::replication
