// Any bytes at all: the decoder either understands them or throws ProtocolError. Anything else,
// such as a crash, another exception or a sanitizer report, is a bug.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/pgoutput_decoder.hpp"

namespace {

using namespace pgcourier::protocol;

// Every value must lie inside the payload.
void check(Row row, ByteView payload) {
  for (const auto& value : row) {
    if (value.bytes.empty()) continue;
    if (value.bytes.data() < payload.data() ||
        value.bytes.data() + value.bytes.size() > payload.data() + payload.size()) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static PgoutputDecoder decoder;  // as in a session: one for all messages
  const ByteView payload(reinterpret_cast<const char*>(data), size);
  try {
    const auto message = decoder.decode(payload);
    if (const auto* insert = std::get_if<Insert>(&message)) check(insert->new_row, payload);
    if (const auto* update = std::get_if<Update>(&message)) {
      check(update->old_row, payload);
      check(update->new_row, payload);
    }
    if (const auto* deletion = std::get_if<Delete>(&message)) check(deletion->old_row, payload);
  } catch (const ProtocolError&) {
  }
  return 0;
}
