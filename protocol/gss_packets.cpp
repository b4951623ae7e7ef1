#include "protocol/gss_packets.hpp"

#include <stdexcept>

#include "protocol/wire_writer.hpp"

namespace pgcourier::protocol {

std::optional<ByteView> frame_gss_packet(ByteView buffer, std::size_t max_bytes) {
  if (buffer.size() < gss_length_bytes) return std::nullopt;
  WireReader header(buffer.substr(0, gss_length_bytes));
  const std::size_t length = header.u32();
  if (length > max_bytes - gss_length_bytes) {
    throw ProtocolError("GSSAPI packet",
                        "a length of " + std::to_string(length) +
                            " bytes, more than the limit of " +
                            std::to_string(max_bytes - gss_length_bytes),
                        0);
  }
  if (buffer.size() - gss_length_bytes < length) return std::nullopt;
  return buffer.substr(gss_length_bytes, length);
}

void append_gss_packet(std::string& out, ByteView wrapped, std::size_t max_bytes) {
  if (wrapped.size() > max_bytes - gss_length_bytes) {
    throw std::length_error("a GSSAPI packet of " + std::to_string(wrapped.size()) +
                            " bytes is longer than a server takes");
  }
  WireWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(wrapped.size()));
  writer.bytes(wrapped);
}

}  // namespace pgcourier::protocol
