#include "tests/protocol/recorded.hpp"

#include <fstream>
#include <stdexcept>

namespace pgcourier::tests {

std::vector<RecordedMessage> recorded(std::string_view name) {
  const std::string path = FIXTURES_DIRECTORY "/protocol/" + std::string(name) + ".hex";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("no recording " + path);
  std::vector<RecordedMessage> messages;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    messages.push_back({line[0] == 'B', from_hex(std::string_view(line).substr(1))});
  }
  return messages;
}

std::string of_major(std::string_view name, int major) {
  return std::string(name) + '_' + std::to_string(major);
}

protocol::FramedMessage framed(const RecordedMessage& message) {
  const auto framing = protocol::frame_message(message.bytes, message.bytes.size() + 1);
  if (!framing.message || framing.message->size != message.bytes.size()) {
    throw std::runtime_error("the recording is not one message");
  }
  return *framing.message;
}

}  // namespace pgcourier::tests
