// An honest server's part of SCRAM.
#pragma once

#include "protocol/base64.hpp"
#include "tests/protocol/scram_at_once.hpp"
#include "tests/replication/hostile_server.hpp"

namespace pgcourier::replication::test {

// What the client's first message says behind its GS2 header; empty if it is none.
inline std::string client_first_bare(const std::string& heard) {
  const auto at = heard.find("n=,r=");
  return at == std::string::npos ? "" : heard.substr(at);
}

inline std::string server_first(const std::string& first_bare) {
  return "r=" + first_bare.substr(5) + "server,s=QUJD,i=2";
}

// AuthenticationSASLContinue and -Final; nothing to what is no part of SCRAM.
inline std::string scram_continue(const Turn::Heard& heard) {
  const std::string first_bare = client_first_bare(heard.back());
  return first_bare.empty() ? "" : message('R', big_endian(11) + server_first(first_bare));
}
inline std::string scram_final(const Turn::Heard& heard) {
  if (heard.size() < 2) return "";
  const std::string first_bare = client_first_bare(heard[heard.size() - 2]);
  const auto proof_at = heard.back().find(",p=");
  if (first_bare.empty() || proof_at == std::string::npos) return "";
  const std::string without_proof = heard.back().substr(1, proof_at - 1);
  const auto proof = protocol::scram_proof_at_once(
      "pencil", "ABC", 2, first_bare + ',' + server_first(first_bare) + ',' + without_proof);
  return message('R', big_endian(12) + "v=" + protocol::encode_base64(proof.server_signature)) +
         welcome();
}

// `mechanisms`: each with a zero byte behind it. The password is "pencil".
inline std::vector<Turn> scram_turns(const std::string& mechanisms) {
  return {start(message('R', big_endian(10) + mechanisms + '\0')),
          {Turn::Reads::message, scram_continue},
          {Turn::Reads::message, scram_final}};
}

}  // namespace pgcourier::replication::test
