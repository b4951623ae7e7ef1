// The body of any CopyData of a replication stream.
#include <cstddef>
#include <cstdint>

#include "protocol/pg_time.hpp"
#include "protocol/replication_messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier::protocol;
  const ByteView body(reinterpret_cast<const char*>(data), size);
  try {
    (void)to_iso8601(read_xlog_data(body).server_time);
  } catch (const ProtocolError&) {
  }
  try {
    (void)to_iso8601(read_primary_keepalive(body).server_time);
  } catch (const ProtocolError&) {
  }
  return 0;
}
