// A server that may say anything. The first byte chooses our settings, the rest is messages: a type
// byte, one byte for the length of the body, the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/server_error.hpp"
#include "protocol/startup_handshake.hpp"
#include "tests/fuzz/scram_iterations.hpp"
#include "tests/protocol/scram_at_once.hpp"

namespace {

using namespace pgcourier::protocol;

StartupParameters parameters_of(std::uint8_t choice) {
  StartupParameters parameters;
  parameters.user = "me";
  if ((choice & 1) != 0) parameters.password = "pencil";
  parameters.ask_for_tls = (choice & 2) != 0;
  parameters.channel_binding = (choice & 4) != 0 ? "require" : "prefer";
  if ((choice & 8) != 0) parameters.require_auth = "scram-sha-256";
  if ((choice & 16) != 0) parameters.max_protocol_version = protocol_3_2;
  if ((choice & 32) != 0) parameters.min_protocol_version = parameters.max_protocol_version;
  parameters.direct_tls = (choice & 64) != 0;
  parameters.has_oauth_token = parameters.ask_for_gss = (choice & 128) != 0;
  parameters.scram_nonce = "fuzz";
  return parameters;
}

void play(std::uint8_t choice, ByteView rest) {
  StartupHandshake handshake(parameters_of(choice));
  bool let_in = false;
  auto step = handshake.start();
  for (;;) {
    if (std::holds_alternative<SendBytes>(step)) {
      step = handshake.sent();
    } else if (std::holds_alternative<StartTls>(step)) {
      step = handshake.on_tls("hash");
    } else if (std::holds_alternative<GetToken>(step)) {
      if ((choice & 12) != 0 || (choice & 128) == 0) std::abort();
      step = handshake.on_token("token");
    } else if (std::holds_alternative<StartGss>(step)) {
      step = handshake.on_gss_encryption();
    } else if (const auto* ask = std::get_if<AskGss>(&step)) {
      const std::string token = ask->token;
      step = handshake.on_gss_token(token, !token.empty());
    } else if (auto* salt = std::get_if<SaltPassword>(&step)) {
      step = handshake.on_salted_password(salted_at_once(std::move(salt->salting)));
    } else if (std::holds_alternative<Ready>(step)) {
      // Nobody can make SCRAM's signature without the password, and here nobody tries.
      if ((choice & 12) != 0 || !let_in) std::abort();
      const auto& session = handshake.session();
      if (session.protocol_version == protocol_3_0 && session.cancel_key.size() > 4) std::abort();
      if ((choice & 48) == 48 && session.protocol_version != protocol_3_2) std::abort();
      return;
    } else if (std::holds_alternative<ReadByte>(step)) {
      if (rest.empty()) return;
      step = handshake.on_byte(rest[0]);
      rest.remove_prefix(1);
    } else {
      if (rest.size() < 2) return;
      const char type = rest[0];
      const auto body = rest.substr(2, static_cast<std::uint8_t>(rest[1]));
      rest.remove_prefix(2 + body.size());
      step = handshake.on_message(type, body);
      let_in = let_in || (type == 'R' && body == ByteView("\0\0\0\0", 4));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView script(reinterpret_cast<const char*>(data + 1), size - 1);
  if (pgcourier::tests::asks_for_many_iterations(script)) return 0;
  try {
    play(data[0], script);
  } catch (const ProtocolError&) {
  } catch (const ServerError&) {
  } catch (const AuthenticationError&) {
  }
  return 0;
}
