// Start-up and cancel requests under TLS.
#include "tests/replication/hostile_dialogue.hpp"
#include "tests/replication/hostile_scram.hpp"

namespace pgcourier::replication::test {
namespace {

void with_tls(config::ConnectionTarget& target) { target.ssl_mode = config::SslMode::require; }
void with_tls_1_2(config::ConnectionTarget& target) {
  with_tls(target);
  target.ssl_max_protocol_version = "TLSv1.2";
}
void with_direct_tls(config::ConnectionTarget& target) {
  with_tls(target);
  target.ssl_direct = true;
}
void with_channel_binding(config::ConnectionTarget& target) {
  with_tls(target);
  target.channel_binding = "require";
}
void with_token(config::ConnectionTarget& target) {
  with_tls(target);
  target.oauth_token = "token";
  target.hosts[0].password.clear();
}

std::vector<Turn> bound_scram_turns() {
  std::vector<Turn> turns = {start("S"), start_tls()};
  for (Turn& turn : scram_turns("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"s)) turns.push_back(turn);
  return turns;
}

asio::awaitable<void> cancel(Connection& connection) { return connection.cancel(); }

}  // namespace

std::vector<Dialogue> encrypted_dialogues() {
  const std::string good_under_tls = "tls (R3 |R5 |R10 R11 R12 )?" + good_start;
  return {
      {.name = "TLS",
       .turns = {start("S"), start_tls(), start(welcome())},
       .good = "S! " + good_under_tls,
       .with = with_tls,
       .bytes_in_clear = 1},
      {.name = "TLS 1 2",
       .turns = {start("S"), start_tls(), start(welcome())},
       .good = "S! " + good_under_tls,
       .with = with_tls_1_2,
       .bytes_in_clear = 1},
      {.name = "direct TLS",
       .turns = {start_tls(), start(welcome())},
       .good = good_under_tls,
       .with = with_direct_tls},
      // Bound to the channel it must be, so trust is none.
      {.name = "SCRAM PLUS",
       .turns = bound_scram_turns(),
       .good = "S! tls R10 R11 R12 " + good_start,
       .with = with_channel_binding,
       .bytes_in_clear = 1},
      {.name = "OAUTHBEARER under TLS",
       .turns = {start("S"), start_tls(), start(message('R', big_endian(10) + "OAUTHBEARER\0\0"s)),
                 answer(welcome())},
       .good = "S! tls (R10 )?" + good_start,
       .with = with_token,
       .bytes_in_clear = 1},
      // The server's end is the answer, and has no reason.
      {.name = "cancel request under TLS",
       .turns = {start("S"), start_tls(), start("")},
       .act = cancel,
       .good = "S! tls ",
       .with = with_tls_1_2,
       .bytes_in_clear = 1,
       .connection_before = {start("S"), start_tls(), start(welcome())}},
  };
}

}  // namespace pgcourier::replication::test
