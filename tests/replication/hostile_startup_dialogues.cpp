// Start-up in clear: each way to authenticate, refusals, versions.
#include "tests/replication/hostile_dialogue.hpp"
#include "tests/replication/hostile_scram.hpp"

namespace pgcourier::replication::test {
namespace {

// A server may ask in any way that we know, or not at all, where require_auth is silent.
const std::string good_authentication = "(R3 |R5 |R10 R11 R12 )?" + good_start;

void with_tls_preferred(config::ConnectionTarget& target) {
  target.ssl_mode = config::SslMode::prefer;
}
void with_version_3_2(config::ConnectionTarget& target) {
  target.max_protocol_version = protocol::protocol_3_2;
}
void with_token(config::ConnectionTarget& target) {
  target.oauth_token = "token";
  target.hosts[0].password.clear();
}

}  // namespace

std::vector<Dialogue> startup_dialogues() {
  const std::string ask_for_token = message('R', big_endian(10) + "OAUTHBEARER\0\0"s);
  const auto unix_socket = ScriptedServer::Over::unix_socket;
  return {
      {.name = "trust", .turns = {start(notice("hello") + welcome())}, .good = good_authentication},
      {.name = "cleartext",
       .turns = {start(message('R', big_endian(3))), answer(welcome())},
       .good = good_authentication},
      {.name = "md5",
       .turns = {start(message('R', big_endian(5) + "salt")), answer(welcome())},
       .good = good_authentication},
      {.name = "SCRAM", .turns = scram_turns("SCRAM-SHA-256\0"s), .good = good_authentication},
      {.name = "refused",
       .turns = {start(error_response("FATAL", "28P01"))},
       .good = good_authentication,
       .honest_error = "sorry"},
      {.name = "no TLS",
       .turns = {start("N"), start(welcome())},
       .good = "N! " + good_authentication,
       .with = with_tls_preferred,
       .bytes_in_clear = 1},
      // Its key may have any length up to 256 bytes.
      {.name = "version",
       .turns = {start(message('v', big_endian(3U << 16) + big_endian(0)) + welcome())},
       .good = "(v )?" + good_authentication,
       .any_body = {"K"},
       .with = with_version_3_2},
      {.name = "OAUTHBEARER",
       .turns = {start(ask_for_token), answer(welcome())},
       .good = "(R10 )?" + good_start,
       .with = with_token,
       .over = unix_socket},
      {.name = "OAUTHBEARER refused",
       .turns = {start(ask_for_token),
                 answer(message('R', big_endian(11) + R"({"status":"invalid_token"})")),
                 answer(error_response("FATAL", "28000"))},
       .good = "(R10 )?" + good_start,
       .with = with_token,
       .over = unix_socket,
       .honest_error = "refused the OAuth token"},
  };
}

}  // namespace pgcourier::replication::test
