#include "protocol/server_error.hpp"

namespace pgcourier::protocol {
namespace {

// The server's text is foreign: no line breaks or escape sequences of its making in our one line.
// What is longer than anybody reads is cut.
constexpr std::size_t max_line_field_bytes = 16 * 1024;

void append_one_line(std::string& line, std::string_view text) {
  for (const char c : text.substr(0, max_line_field_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    line.push_back(byte < 0x20 || byte == 0x7f ? ' ' : c);
  }
}

void append_labelled(std::string& line, std::string_view label, std::string_view text) {
  if (text.empty()) return;
  line += "; ";
  line += label;
  line += ": ";
  append_one_line(line, text);
}

}  // namespace

std::string to_string(const ServerFields& fields) {
  const auto& severity =
      fields.severity_unlocalized.empty() ? fields.severity : fields.severity_unlocalized;
  std::string line;
  append_one_line(line, severity.empty() ? "ERROR" : severity);
  if (!fields.sqlstate.empty()) line += ' ';
  append_one_line(line, fields.sqlstate);
  line += ": ";
  append_one_line(line, fields.message);
  append_labelled(line, "DETAIL", fields.detail);
  append_labelled(line, "HINT", fields.hint);
  return line;
}

}  // namespace pgcourier::protocol
