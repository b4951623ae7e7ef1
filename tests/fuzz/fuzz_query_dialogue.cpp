// A server's bytes as the answer to any requests: the first byte says how many, then one byte each.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/query_dialogue.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::protocol;
  if (size == 0) return 0;
  const std::size_t count = std::min<std::size_t>(data[0] % 16, size - 1);
  std::vector<Request> requests;
  for (std::size_t i = 1; i <= count; ++i) requests.push_back(static_cast<Request>(data[i] % 9));
  ByteView rest(reinterpret_cast<const char*>(data) + 1 + count, size - 1 - count);
  QueryDialogue dialogue;
  try {
    dialogue.asked(requests);
    while (const auto message = frame_message(rest, max_startup_message_bytes).message) {
      rest.remove_prefix(message->size);
      dialogue.on_message(*message);
      if (dialogue.owes_copy_end() && !dialogue.in_copy_both()) dialogue.copy_ended();
    }
  } catch (const ProtocolError&) {
  }
  return 0;
}
