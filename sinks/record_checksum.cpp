#include "sinks/record_checksum.hpp"

#include <zlib.h>

namespace pgcourier::sinks {

void RecordChecksum::add(std::string_view value) {
  add_lines(value);
  add_lines("\n");
}

void RecordChecksum::add_lines(std::string_view lines) {
  crc_ = static_cast<std::uint32_t>(
      crc32_z(crc_, reinterpret_cast<const Bytef*>(lines.data()), lines.size()));
}

}  // namespace pgcourier::sinks
