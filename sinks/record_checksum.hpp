// The checksum by which the output of two sinks is compared (`run` logs it at its end).
#pragma once

#include <cstdint>
#include <string_view>

namespace pgcourier::sinks {

// CRC-32 (gzip's) over record values, each followed by "\n": the same as of a file of these lines.
class RecordChecksum {
 public:
  // One value, without its line end.
  void add(std::string_view value);

  // Values that already have their line ends.
  void add_lines(std::string_view lines);

  std::uint32_t value() const { return crc_; }

 private:
  std::uint32_t crc_ = 0;
};

}  // namespace pgcourier::sinks
