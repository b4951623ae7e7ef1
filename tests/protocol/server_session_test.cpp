#include "protocol/server_session.hpp"

#include <gtest/gtest.h>

namespace pgcourier::protocol {
namespace {

TEST(ServerParameters, KeepTheNewestValueOfEach) {
  ServerSession session;
  keep_parameter(session, {"TimeZone", "UTC"});
  keep_parameter(session, {"is_superuser", "off"});
  keep_parameter(session, {"TimeZone", "Europe/Berlin"});
  EXPECT_EQ(session.parameters, (std::map<std::string, std::string>{{"TimeZone", "Europe/Berlin"},
                                                                    {"is_superuser", "off"}}));
}

TEST(ServerParameters, AreSoMany) {
  ServerSession session;
  for (std::size_t i = 0; i < max_parameters; ++i) {
    keep_parameter(session, {std::to_string(i), "on"});
  }
  keep_parameter(session, {"0", "off"});
  EXPECT_THROW(keep_parameter(session, {"another", "on"}), ProtocolError);
}

TEST(ServerParameters, AreSoLong) {
  ServerSession session;
  const std::string half(max_parameter_bytes / 2 - 1, 'x');
  keep_parameter(session, {"a", half});
  keep_parameter(session, {"b", half});
  keep_parameter(session, {"a", "shorter"});
  keep_parameter(session, {"a", half});
  EXPECT_THROW(keep_parameter(session, {"c", ""}), ProtocolError);
}

}  // namespace
}  // namespace pgcourier::protocol
