// Finds whole messages in received bytes, §55.1.1: a type byte, then a length that counts itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// The longest message believed from a server that has not proven who it is. Enough for any
// ErrorResponse or list of mechanisms, little enough for a stranger to waste.
constexpr std::size_t max_startup_message_bytes = 64 * 1024;

// One message; `body` points into the buffer it was found in.
struct FramedMessage {
  char type = 0;
  ByteView body;         // without type and length
  std::size_t size = 0;  // with them: what to drop from the buffer's front afterwards
};

struct Framing {
  std::optional<FramedMessage> message;
  // Without a message: how long the buffer must be, all in all, before it pays to ask again.
  std::size_t bytes_needed = 0;
};

// Looks at the front of `buffer`. Throws ProtocolError for a length below 4 or a message longer
// than `max_message_bytes` (type and length included), before anybody reserves memory for it.
inline Framing frame_message(ByteView buffer, std::size_t max_message_bytes) {
  constexpr std::size_t header_bytes = 5;
  if (buffer.size() < header_bytes) return {.message = {}, .bytes_needed = header_bytes};
  WireReader header(buffer.substr(0, header_bytes));
  const char type = static_cast<char>(header.u8());
  const std::size_t length = header.u32();
  if (length < 4) throw ProtocolError("message", "a length below 4", 1);
  if (length >= max_message_bytes) {  // the type byte is not counted in `length`
    throw ProtocolError("message",
                        "a length of " + std::to_string(length) +
                            " bytes, more than the limit of " + std::to_string(max_message_bytes),
                        1);
  }
  const std::size_t size = length + 1;
  if (buffer.size() < size) return {.message = {}, .bytes_needed = size};
  const ByteView body = buffer.substr(header_bytes, size - header_bytes);
  return {.message = FramedMessage{.type = type, .body = body, .size = size}, .bytes_needed = 0};
}

// A postmaster that can't start a process for us says so in the words of version 2: 'E', a text, a
// zero byte, no length. Nothing but a server's first message may be that, and then the byte after
// 'E' tells: of a length within `max_message_bytes` it is zero. Empty: it is none. Throws
// ProtocolError for a text without an end.
inline std::optional<Framing> frame_unframed_error(ByteView buffer, std::size_t max_message_bytes) {
  if (buffer.empty() || buffer == "E") return Framing{.message = {}, .bytes_needed = 2};
  if (buffer[0] != 'E' || buffer[1] == '\0') return std::nullopt;
  const std::size_t end = buffer.substr(0, max_message_bytes).find('\0');
  if (end != ByteView::npos) {
    return Framing{.message = FramedMessage{'E', buffer.substr(1, end - 1), end + 1},
                   .bytes_needed = 0};
  }
  if (buffer.size() >= max_message_bytes) {
    throw ProtocolError("unframed error",
                        "a text of more than " + std::to_string(max_message_bytes) + " bytes");
  }
  return Framing{.message = {}, .bytes_needed = buffer.size() + 1};
}

}  // namespace pgcourier::protocol
