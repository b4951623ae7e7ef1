// The first byte's kind of data file, and any bytes as what a crash left of one. What is kept of it
// reads the same again.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sinks/file_io.hpp"
#include "sinks/file_recovery.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgcourier;
  if (size == 0) return 0;
  const sinks::Fd memory(::memfd_create("data_file", MFD_CLOEXEC));
  sinks::DataFile file;
  file.path = "/proc/self/fd/" + std::to_string(memory.get());
  file.compression = static_cast<config::Compression>(data[0] % 3);
  std::uint64_t offset = 0;
  sinks::write_at(memory, file.path, {reinterpret_cast<const char*>(data) + 1, size - 1}, offset);
  const auto part = sinks::read_whole_part(file);
  if (part.units_end > part.size) std::abort();
  sinks::truncate(memory, file.path, part.units_end);
  const auto again = sinks::read_whole_part(file);
  if (again.units_end != part.units_end || again.end_lsn != part.end_lsn) std::abort();
  return 0;
}
