// Prints what grows in a folder of JSON files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <ostream>
#include <string>

namespace pgcourier::cdc::daemon {

class LineFollower {
 public:
  explicit LineFollower(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Prints the whole lines that came since the last call; gives their number.
  std::size_t print_new_lines(std::ostream& out);

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::uint64_t> offsets_;  // by file name without .open
};

}  // namespace pgcourier::cdc::daemon
