// Any text as a timeline history file, a position and a version.
#include <cstddef>
#include <cstdint>

#include "protocol/protocol_error.hpp"
#include "protocol/server_version.hpp"
#include "protocol/timeline_history.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::protocol;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_lsn(text);
  (void)server_version_number(text);
  try {
    read_timeline_history(text);
  } catch (const ProtocolError&) {
  }
  return 0;
}
