#include "protocol/timeline_history.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::string_view message_name = "timeline history";
constexpr std::string_view blanks = " \t\r";

// Takes the next word off the front of `line`; empty at its end.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const auto word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

TimelineSwitch read_switch(std::string_view line, std::size_t offset) {
  const auto timeline = take_word(line);
  TimelineSwitch result;
  const char* const timeline_end = timeline.data() + timeline.size();
  const auto [end, error] = std::from_chars(timeline.data(), timeline_end, result.timeline);
  if (error != std::errc{} || end != timeline_end || result.timeline == 0) {
    throw ProtocolError(message_name, "expected a timeline number", offset);
  }
  const auto lsn = parse_lsn(take_word(line));
  if (!lsn) throw ProtocolError(message_name, "expected the position of a switch", offset);
  result.switch_lsn = *lsn;
  return result;  // the rest of the line is the reason, for people
}

}  // namespace

std::vector<TimelineSwitch> read_timeline_history(std::string_view content) {
  std::vector<TimelineSwitch> history;
  std::size_t offset = 0;
  while (offset < content.size()) {
    const auto line = content.substr(offset, content.find('\n', offset) - offset);
    const auto first = line.find_first_not_of(blanks);
    if (first != std::string_view::npos && line[first] != '#') {
      const auto next = read_switch(line, offset);
      if (!history.empty() && next.timeline <= history.back().timeline) {
        throw ProtocolError(message_name, "timelines out of order", offset);
      }
      if (!history.empty() && next.switch_lsn < history.back().switch_lsn) {
        throw ProtocolError(message_name, "positions out of order", offset);
      }
      history.push_back(next);
    }
    offset += line.size() + 1;
  }
  return history;
}

}  // namespace pgcourier::protocol
