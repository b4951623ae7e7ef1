// Every sslmode against a real server, in success and refusal, §55.2.10.
#include <gmock/gmock.h>

#include "protocol/authentication_error.hpp"
#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using test::certificate;
using test::Session;
using test::tls_version;
using testing::HasSubstr;

class LiveTls : public test::OnEachMajor {
 protected:
  static config::ConnectionTarget tls_target(SslMode mode, const std::string& user = "postgres") {
    auto target = OnEachMajor::target(user);
    target.ssl_mode = mode;
    return target;
  }
  static config::ConnectionTarget verifying(SslMode mode, const std::string& name,
                                            const std::string& address) {
    auto target = tls_target(mode);
    target.hosts[0].name = name;
    target.hosts[0].address = address;
    target.ssl_root_cert = certificate("root.crt");
    return target;
  }
  static std::string refusal(const config::ConnectionTarget& target) {
    try {
      Session session(target);
      return "";
    } catch (const std::exception& error) {
      return error.what();
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Each, LiveTls, LiveTls::each(), LiveTls::name);

TEST_P(LiveTls, FollowsEachModeWhereBothKindsAreWelcome) {
  EXPECT_EQ(tls_version(tls_target(SslMode::disable)), "");
  EXPECT_EQ(tls_version(tls_target(SslMode::allow)), "");
  EXPECT_EQ(tls_version(tls_target(SslMode::prefer)), "TLSv1.3");
  EXPECT_EQ(tls_version(tls_target(SslMode::require)), "TLSv1.3");
}

TEST_P(LiveTls, FollowsEachModeWhereTheServerWantsOneKind) {
  EXPECT_THAT(refusal(tls_target(SslMode::disable, "tls_user")), HasSubstr("28000"));
  EXPECT_EQ(tls_version(tls_target(SslMode::allow, "tls_user")), "TLSv1.3");
  EXPECT_EQ(tls_version(tls_target(SslMode::prefer, "tls_user")), "TLSv1.3");
  EXPECT_EQ(tls_version(tls_target(SslMode::allow, "plain_user")), "");
  EXPECT_EQ(tls_version(tls_target(SslMode::prefer, "plain_user")), "");
  EXPECT_THAT(refusal(tls_target(SslMode::require, "plain_user")), HasSubstr("28000"));
}

TEST_P(LiveTls, NeverUsesTlsOverAUnixSocket) {
  auto target = tls_target(SslMode::require);
  target.hosts[0].name = test::environment("PGCOURIER_TEST_SOCKETS");
  EXPECT_EQ(tls_version(target), "");
}

TEST_P(LiveTls, VerifiesTheAuthorityWhereARootIsGiven) {
  for (const auto mode : {SslMode::require, SslMode::verify_ca}) {
    auto target = verifying(mode, "elsewhere.test", "127.0.0.1");
    EXPECT_EQ(tls_version(target), "TLSv1.3");
    target.ssl_root_cert = certificate("other_root.crt");
    EXPECT_THAT(refusal(target), HasSubstr("certificate verify failed"));
  }
}

TEST_P(LiveTls, NeedsARootToVerify) {
  auto target = verifying(SslMode::verify_ca, "localhost", "127.0.0.1");
  target.ssl_root_cert = "";
  EXPECT_THROW(Session{target}, config::SettingsError);
  target.ssl_root_cert = certificate("missing.crt");
  EXPECT_THAT(refusal(target), HasSubstr("missing.crt"));
  target.ssl_root_cert = "system";
  EXPECT_THAT(refusal(target), HasSubstr("certificate verify failed"));
}

TEST_P(LiveTls, VerifiesTheHostsName) {
  for (const std::string name : {"localhost", "db1.wild.test", "127.0.0.1"}) {
    EXPECT_EQ(tls_version(verifying(SslMode::verify_full, name, "127.0.0.1")), "TLSv1.3") << name;
  }
  EXPECT_EQ(tls_version(verifying(SslMode::verify_full, "::1", "")), "TLSv1.3");
  for (const std::string name : {"elsewhere.test", "wild.test", "a.b.wild.test", "127.0.0.2"}) {
    EXPECT_THAT(refusal(verifying(SslMode::verify_full, name, "127.0.0.1")), HasSubstr("mismatch"))
        << name;
  }
  EXPECT_THAT(refusal(verifying(SslMode::verify_full, "", "127.0.0.1")), HasSubstr("host name"));
}

TEST_P(LiveTls, HonoursRevocations) {
  auto target = verifying(SslMode::verify_ca, "localhost", "127.0.0.1");
  target.ssl_crl = certificate("nothing_revoked.crl");
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.ssl_crl = certificate("server_revoked.crl");
  EXPECT_THAT(refusal(target), HasSubstr("certificate revoked"));
}

TEST_P(LiveTls, HonoursRevocationsInAFolder) {
  auto target = verifying(SslMode::verify_ca, "localhost", "127.0.0.1");
  target.ssl_crl_dir = certificate("nothing_revoked");
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.ssl_crl_dir = certificate("server_revoked");
  EXPECT_THAT(refusal(target), HasSubstr("certificate revoked"));
  target.ssl_crl = certificate("nothing_revoked.crl");
  target.ssl_crl_dir = certificate("missing");
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.ssl_crl = "";
  EXPECT_THAT(refusal(target), HasSubstr("unable to get certificate CRL"));
}

TEST_P(LiveTls, NeedsItsCertificateToBeSentWhereThatIsRequired) {
  auto target = tls_target(SslMode::prefer, "cert_user");
  target.ssl_cert_required = true;
  EXPECT_THAT(refusal(target), HasSubstr("no certificate of ours was sent"));
  target.ssl_cert = certificate("client.crt");
  target.ssl_key = certificate("client.key");
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.hosts[0].name = test::environment("PGCOURIER_TEST_SOCKETS");
  EXPECT_THAT(refusal(target), HasSubstr("does not use TLS"));
}

TEST_P(LiveTls, ChecksWhoRunsTheServerBehindAUnixSocket) {
  auto target = tls_target(SslMode::disable);
  target.hosts[0].name = test::environment("PGCOURIER_TEST_SOCKETS");
  target.require_peer = test::environment("PGCOURIER_TEST_SERVER_USER");
  EXPECT_EQ(tls_version(target), "");
  target.require_peer += "x";
  EXPECT_THAT(refusal(target), HasSubstr("requirepeer"));
}

TEST_P(LiveTls, ShowsItsCertificate) {
  auto target = tls_target(SslMode::require, "cert_user");
  EXPECT_THAT(refusal(target), HasSubstr("28000"));
  target.ssl_cert = certificate("client.crt");
  target.ssl_key = certificate("client.key");
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.ssl_key = certificate("client_locked.key");
  EXPECT_THROW(Session{target}, config::SettingsError);
  target.ssl_password = "sesame";
  EXPECT_EQ(tls_version(target), "TLSv1.3");
}

TEST_P(LiveTls, RefusesAKeyThatOthersMayRead) {
  auto target = tls_target(SslMode::require, "cert_user");
  target.ssl_cert = certificate("client.crt");
  target.ssl_key = certificate("client_open.key");
  EXPECT_THAT(refusal(target), HasSubstr("group or world access"));
  target.ssl_key = certificate("other_root.key");
  EXPECT_THAT(refusal(target), HasSubstr("sslkey"));
}

TEST_P(LiveTls, StartsWithoutAskingWhereTheServerTakesIt) {
  auto target = tls_target(SslMode::require);
  target.ssl_direct = true;
  if (major() < 17) {
    EXPECT_THAT(refusal(target), HasSubstr("direct TLS handshake failed"));
    return;
  }
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.ssl_mode = SslMode::verify_full;
  target.ssl_root_cert = certificate("root.crt");
  EXPECT_EQ(tls_version(target), "TLSv1.3");
  target.ssl_root_cert = certificate("other_root.crt");
  EXPECT_THAT(refusal(target), HasSubstr("certificate verify failed"));
}

TEST_P(LiveTls, NeverStartsDirectlyOverAUnixSocket) {
  auto target = tls_target(SslMode::require);
  target.ssl_direct = true;
  target.hosts[0].name = test::environment("PGCOURIER_TEST_SOCKETS");
  EXPECT_EQ(tls_version(target), "");
}

TEST_P(LiveTls, StaysWithinTheProtocolVersions) {
  auto target = tls_target(SslMode::require);
  target.ssl_max_protocol_version = "TLSv1.2";
  EXPECT_EQ(tls_version(target), "TLSv1.2");
  target.ssl_min_protocol_version = "TLSv1.3";
  EXPECT_THROW(Session{target}, config::SettingsError);
  target.ssl_max_protocol_version = "SSLv3";
  EXPECT_THROW(Session{target}, config::SettingsError);
}

}  // namespace
}  // namespace pgcourier::replication
