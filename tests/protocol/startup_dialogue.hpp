// A StartupHandshake whose server says what a test tells it to.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "protocol/base64.hpp"
#include "protocol/startup_handshake.hpp"
#include "tests/protocol/recorded.hpp"
#include "tests/protocol/scram_at_once.hpp"

namespace pgcourier::protocol {

using tests::from_hex;

inline const std::string ok = from_hex("00000000");
inline const std::string cleartext = from_hex("00000003");
inline const std::string md5 = from_hex("00000005 01020304");
inline const std::string scram_only = from_hex("0000000a") + std::string("SCRAM-SHA-256\0\0", 15);
inline const std::string scram_plus =
    from_hex("0000000a") + std::string("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", 34);
inline const std::string oauth_only = from_hex("0000000a") + std::string("OAUTHBEARER\0\0", 13);
inline const std::string server_nonce = "fyko+d2lbbFgONRv9qkxdawLserver";

inline StartupParameters parameters() {
  StartupParameters given;
  given.user = "me";
  given.database = "shop";
  given.password = "pencil";
  given.ask_for_tls = false;
  given.scram_nonce = "fyko+d2lbbFgONRv9qkxdawL";  // as in the recording
  return given;
}

// A handshake whose StartupMessage is sent.
class Dialogue {
 public:
  explicit Dialogue(const StartupParameters& given) : handshake_(given) {
    if (given.ask_for_tls) {
      handshake_.start();
      handshake_.sent();
      handshake_.on_byte('S');
      handshake_.on_tls("certificate hash");
    } else {
      handshake_.start();
    }
    EXPECT_TRUE(std::holds_alternative<ReadMessage>(handshake_.sent()));
  }

  // What the client answers; empty if it goes on reading.
  std::string hear(char type, const std::string& body) {
    const tests::ExactBuffer exact(body);
    return answer_of(handshake_.on_message(type, exact.view()));
  }
  std::string give_token(const std::string& token) { return answer_of(handshake_.on_token(token)); }

  // Plays an honest server's part of SCRAM up to its signature, which it gives.
  std::string hear_scram(const std::string& offer) {
    const auto initial = hear('R', offer);
    const auto first_bare = initial.substr(initial.find("n=,r="));
    const std::string server_first = "r=" + server_nonce + ",s=QUJD,i=2";
    auto final = hear('R', from_hex("0000000b") + server_first).substr(5);
    final.resize(final.find(",p="));
    const auto proof =
        scram_proof_at_once("pencil", "ABC", 2, first_bare + ',' + server_first + ',' + final);
    return from_hex("0000000c") + "v=" + encode_base64(proof.server_signature);
  }

  const ServerSession& session() const { return handshake_.session(); }

  bool ready = false;
  bool wants_token = false;

 private:
  std::string answer_of(HandshakeStep step) {
    if (auto* salt = std::get_if<SaltPassword>(&step)) {
      step = handshake_.on_salted_password(salted_at_once(std::move(salt->salting)));
    }
    ready = std::holds_alternative<Ready>(step);
    wants_token = std::holds_alternative<GetToken>(step);
    const auto* answer = std::get_if<SendBytes>(&step);
    if (answer == nullptr) return {};
    handshake_.sent();
    return answer->bytes;
  }

  StartupHandshake handshake_;
};

inline std::string refusal(const StartupParameters& given, const std::string& request) {
  return tests::message_of<AuthenticationError>([&] { Dialogue(given).hear('R', request); });
}

}  // namespace pgcourier::protocol
