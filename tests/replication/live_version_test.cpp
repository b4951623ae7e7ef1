// The protocol's version, negotiated with each major.
#include <gmock/gmock.h>

#include "protocol/authentication_error.hpp"
#include "protocol/version_negotiation.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication {
namespace {

using protocol::protocol_3_0;
using protocol::protocol_3_2;
using test::Session;

class LiveVersion : public test::LiveTest {
 protected:
  static void expect_session(const config::ConnectionTarget& target, std::uint32_t version,
                             std::size_t key_bytes) {
    for (const auto purpose : {Purpose::sql, Purpose::replication}) {
      Session session(target, purpose);
      EXPECT_EQ(session.connection.server().protocol_version, version);
      EXPECT_EQ(session.connection.server().cancel_key.size(), key_bytes);
      EXPECT_EQ(session.value("SELECT 1"), "1");
    }
  }
};

TEST_F(LiveVersion, Is30UnlessMoreIsAskedFor) {
  for (const int major : majors) expect_session(target_of(major), protocol_3_0, 4);
}

TEST_F(LiveVersion, IsTheNewestThatBothKnow) {
  for (const int major : majors) {
    auto target = target_of(major);
    target.max_protocol_version = protocol_3_2;
    const bool knows_3_2 = major >= 18;
    expect_session(target, knows_3_2 ? protocol_3_2 : protocol_3_0, knows_3_2 ? 32 : 4);
  }
}

TEST_F(LiveVersion, GoesBackNoFurtherThanItMay) {
  for (const int major : majors) {
    auto target = target_of(major);
    target.max_protocol_version = protocol_3_2;
    target.min_protocol_version = protocol_3_2;
    if (major >= 18) {
      expect_session(target, protocol_3_2, 32);
      continue;
    }
    try {
      Session session(target);
      ADD_FAILURE() << major << " took 3.2";
    } catch (const protocol::AuthenticationError& error) {
      EXPECT_STREQ(error.what(),
                   "the server speaks version 3.0 of the protocol at most, but "
                   "min_protocol_version is 3.2");
    }
  }
}

}  // namespace
}  // namespace pgcourier::replication
