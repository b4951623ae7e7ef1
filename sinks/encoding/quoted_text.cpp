// Copies only from the first escape on.
#include "sinks/encoding/quoted_text.hpp"

namespace pgcourier::sinks::encoding {

std::optional<std::string_view> QuotedTextReader::quoted(std::string& scratch,
                                                         bool doubled_quotes) {
  const char* run = ++at_;
  bool copied = false;
  const auto copy_run = [&] {
    if (!copied) scratch.clear();
    copied = true;
    scratch.append(run, at_);
  };
  for (; at_ != end_; ++at_) {
    if (*at_ == '\\') {
      copy_run();
      run = ++at_;
      if (at_ == end_) return std::nullopt;
    } else if (*at_ == '"' && doubled_quotes && end_ - at_ >= 2 && at_[1] == '"') {
      copy_run();
      run = ++at_;
    } else if (*at_ == '"') {
      if (copied) scratch.append(run, at_);
      const std::string_view text = copied ? std::string_view(scratch) : std::string_view(run, at_);
      ++at_;
      return text;
    }
  }
  return std::nullopt;
}

std::string_view QuotedTextReader::until(std::string_view stops) {
  const char* const start = at_;
  while (at_ != end_ && stops.find(*at_) == std::string_view::npos) ++at_;
  return {start, at_};
}

}  // namespace pgcourier::sinks::encoding
