// One dialogue that a hostile server may spoil: what an honest one says, what we do, and what may
// be said for our end of it to be a good one.
#pragma once

#include <ostream>

#include "tests/replication/hostile_server.hpp"

namespace pgcourier::replication::test {

struct Dialogue {
  std::string name;
  std::vector<Turn> turns;
  std::function<asio::awaitable<void>(Connection&)> act;  // once it is open; may be empty

  // Of all that the server said, the tokens (hostile_judge.hpp) that may end well: a regular
  // expression.
  std::string good;
  // Tokens whose body is nobody's business but the user's: another one is as good.
  std::vector<std::string> any_body;
  // What tokens don't tell of the messages; may be empty.
  std::function<bool(const std::vector<std::string>& messages)> whole;

  Purpose purpose = Purpose::sql;
  std::function<void(config::ConnectionTarget&)> with;  // what the target has beside the usual
  ScriptedServer::Over over = ScriptedServer::Over::tcp;
  std::size_t spoiled_from = 0;         // what other dialogues begin with is spoiled there
  std::size_t bytes_in_clear = 0;       // answers to requests for encryption, one byte each
  std::vector<Turn> connection_before;  // played honestly
  std::string honest_error;             // the outcome of an honest server; empty: fine
};

// For gtest.
inline void PrintTo(const Dialogue& dialogue, std::ostream* out) { *out << dialogue.name; }

// What goes before the answers of an open session.
inline const std::string good_start = "R0 (K )*Z ";

std::vector<Dialogue> startup_dialogues();
std::vector<Dialogue> encrypted_dialogues();
std::vector<Dialogue> query_dialogues();
std::vector<Dialogue> walsender_dialogues();
std::vector<Dialogue> backup_dialogues();

// Built once: the honest servers of some need keys.
const std::vector<Dialogue>& all_dialogues();

}  // namespace pgcourier::replication::test
