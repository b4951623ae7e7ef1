// What a server sends once it was asked for GSSAPI encryption: the first byte chooses the limit,
// the rest is cut into packets.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/gss_packets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::protocol;
  if (size == 0) return 0;
  const std::size_t limit = (data[0] & 1) != 0 ? max_gss_token_packet_bytes : max_gss_packet_bytes;
  ByteView rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    while (const auto wrapped = frame_gss_packet(rest, limit)) {
      std::string again;
      append_gss_packet(again, *wrapped, limit);
      if (again != rest.substr(0, again.size())) std::abort();
      rest.remove_prefix(again.size());
    }
    if (rest.size() >= limit) std::abort();
  } catch (const ProtocolError&) {
  }
  return 0;
}
