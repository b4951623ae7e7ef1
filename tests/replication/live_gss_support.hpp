// A Kerberos realm made by the driver, and this process as a client in it.
#pragma once

#include <cstdlib>
#include <string>

#include "tests/replication/live_support.hpp"

namespace pgcourier::replication::test {

class LiveRealmTest : public LiveTest {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    if (IsSkipped()) return;
    use_realm("krb5.conf");
    use_tickets("gss_user.ccache");
  }
  void TearDown() override {
    for (const char* name : {"KRB5_CONFIG", "KRB5CCNAME", "KRB5_CLIENT_KTNAME"}) ::unsetenv(name);
  }

  static std::string file(const std::string& name) {
    return environment("PGCOURIER_TEST_KERBEROS") + "/" + name;
  }
  static void use_realm(const std::string& name) { ::setenv("KRB5_CONFIG", file(name).c_str(), 1); }
  static void use_tickets(const std::string& name) {
    ::setenv("KRB5CCNAME", ("FILE:" + file(name)).c_str(), 1);
  }
  static config::ConnectionTarget gss_target(config::GssEncMode mode,
                                             const std::string& user = "gss_user") {
    auto target = LiveTest::target(user);
    target.hosts[0].name = "localhost";
    target.hosts[0].address = "127.0.0.1";
    target.gss_enc_mode = mode;
    return target;
  }
};

}  // namespace pgcourier::replication::test
