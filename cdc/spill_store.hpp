// Where open streamed transactions go that don't fit into memory. Implemented in cdc/daemon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pgcourier::cdc {

// The disk is full, or gave back something else than was written. what() names the folder and the
// reason, never the data. Nothing is lost by it: what is not committed comes again.
class SpillError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One transaction's file; gone with the object, and with the process however that ends. BLOCKING.
class SpillFile {
 public:
  virtual ~SpillFile() = default;

  // Gives the checksum that read() asks for. SpillError: nothing is kept of it, try again later.
  virtual std::uint32_t write(std::uint64_t offset, std::string_view bytes) = 0;

  // SpillError unless these are the bytes of that checksum.
  virtual void read(std::uint64_t offset, std::string& into, std::uint32_t checksum) = 0;
};

class SpillStore {
 public:
  virtual ~SpillStore() = default;
  virtual std::unique_ptr<SpillFile> make_file() = 0;  // BLOCKING
};

}  // namespace pgcourier::cdc
