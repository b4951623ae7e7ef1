// Any two messages of a server, the first up to a zero byte, in answer to ours.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/authentication_error.hpp"
#include "protocol/scram_client.hpp"
#include "tests/fuzz/scram_iterations.hpp"
#include "tests/protocol/scram_at_once.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::protocol;
  const ByteView text(reinterpret_cast<const char*>(data), size);
  if (pgcourier::tests::asks_for_many_iterations(text)) return 0;
  const auto first = text.substr(0, text.find('\0'));
  const auto final = text.substr(first.size());
  ScramClient client("pencil", "fuzz", ChannelBinding::tls_server_end_point("hash"));
  client.client_first();
  try {
    client_final_at_once(client, first);
    client.verify(final.empty() ? final : final.substr(1));
  } catch (const ProtocolError&) {
  } catch (const AuthenticationError&) {
  }
  return 0;
}
