// What the nested texts of PostgreSQL (arrays, composites, hstore) have in common: quotes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgcourier::sinks::encoding {

// Reads from the front of a text. A backslash makes the next byte plain everywhere; in composites
// two quotes stand for one, as well.
class QuotedTextReader {
 public:
  explicit QuotedTextReader(std::string_view text)
      : at_(text.data()), end_(text.data() + text.size()) {}

  bool empty() const { return at_ == end_; }
  bool next_is(char byte) const { return at_ != end_ && *at_ == byte; }

  bool skip(char byte) {
    if (!next_is(byte)) return false;
    ++at_;
    return true;
  }

  bool skip(std::string_view bytes) {
    if (!std::string_view(at_, end_).starts_with(bytes)) return false;
    at_ += bytes.size();
    return true;
  }

  // REQUIRES: the next byte is a quote. What stands between it and the closing one, which is passed
  // too; nothing if that is missing. The view is into the text or, if there was something to
  // unescape, into `scratch`.
  std::optional<std::string_view> quoted(std::string& scratch, bool doubled_quotes);

  // The bytes up to the first of `stops`, or to the end.
  std::string_view until(std::string_view stops);

 private:
  const char* at_;
  const char* end_;
};

}  // namespace pgcourier::sinks::encoding
