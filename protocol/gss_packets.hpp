// The packets of GSSAPI encryption, §55.2.11: a length that does not count itself, then what the
// library made.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

constexpr std::size_t gss_length_bytes = 4;

// The longest packet, length included: 16 kB once encrypted. While the two sides get to know each
// other tokens of up to 64 kB are believed, as libpq does since 18: a ticket that lists many groups
// does not fit into less.
constexpr std::size_t max_gss_packet_bytes = 16 * 1024;
constexpr std::size_t max_gss_token_packet_bytes = 64 * 1024;

// The packet at the front of `buffer`, without its length; it points into `buffer`. Empty: not
// whole yet. Throws ProtocolError for a length of more than `max_bytes`, as soon as the length is
// there.
std::optional<ByteView> frame_gss_packet(ByteView buffer, std::size_t max_bytes);

// Throws std::length_error for more than a server takes.
void append_gss_packet(std::string& out, ByteView wrapped, std::size_t max_bytes);

}  // namespace pgcourier::protocol
