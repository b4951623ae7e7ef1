#include "sinks/record_checksum.hpp"

#include <libdeflate.h>

namespace pgcourier::sinks {

void RecordChecksum::add(std::string_view value) {
  add_lines(value);
  add_lines("\n");
}

void RecordChecksum::add_lines(std::string_view lines) {
  crc_ = libdeflate_crc32(crc_, lines.data(), lines.size());
}

}  // namespace pgcourier::sinks
