#include "cdc/daemon/demo/line_follower.hpp"

#include <fstream>

namespace pgcourier::cdc::daemon {

std::size_t LineFollower::print_new_lines(std::ostream& out) {
  std::map<std::string, std::filesystem::path> files;  // names sort by LSN
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, none)) {
    auto name = entry.path().filename().string();
    if (name.find(".jsonl") == std::string::npos) continue;
    if (entry.path().extension() == ".open") name.resize(name.size() - 5);
    files.emplace(name, entry.path());
  }
  std::size_t lines = 0;
  for (const auto& [name, path] : files) {
    std::ifstream file(path);
    auto& offset = offsets_[name];
    file.seekg(static_cast<std::streamoff>(offset));
    for (std::string line; std::getline(file, line) && !file.eof(); ++lines) {
      out << line << '\n';
      offset += line.size() + 1;
    }
  }
  out.flush();
  return lines;
}

}  // namespace pgcourier::cdc::daemon
