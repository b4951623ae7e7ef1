// The rows that replication commands are answered with: any DataRow, to each of their readers.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/query_messages.hpp"
#include "protocol/replication_results.hpp"

namespace {

using namespace pgcourier::protocol;

template <typename Read>
void attempt(Read read, ResultValues row) {
  try {
    (void)read(row);
  } catch (const ProtocolError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::optional<ByteView>> row;
  try {
    read_data_row({reinterpret_cast<const char*>(data), size}, row);
  } catch (const ProtocolError&) {
    return 0;
  }
  attempt(read_system_identity, row);
  attempt(read_shown_value, row);
  attempt(read_timeline_history_file, row);
  attempt(read_created_slot, row);
  attempt(read_physical_slot, row);
  attempt(read_backup_position, row);
  attempt(read_next_timeline, row);
  attempt(read_backup_tablespace, row);
  return 0;
}
