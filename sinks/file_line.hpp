// Reads our own JSON lines back, to find out what of a file a crash left whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/lsn.hpp"

namespace pgcourier::sinks {

// What a whole line says of its unit.
struct LineFacts {
  protocol::Lsn commit_lsn;
  bool in_transaction = false;  // else a non-transactional message, a unit of its own
  // On the last line of a unit.
  std::optional<protocol::Lsn> end_lsn;
};

// Takes a line in pieces, in constant memory however long it is. Checks that it is one JSON object
// (RFC 8259, but for UTF-8 and the range of numbers, which embedded json columns are free in), and
// picks out the members that tell of its unit. Any line a power cut tore fails: it ends too early,
// or has NUL bytes where a page is missing.
class LineReader {
 public:
  // The next bytes of the line, without its line end. False: this is no line of ours.
  bool feed(std::string_view bytes);

  // The line ends here. Empty if it is no whole line of ours. Then the next line may be fed.
  std::optional<LineFacts> finish();

 private:
  enum class State : std::uint8_t {
    start,  // of the line
    value,
    element_or_end,  // behind '['
    key_or_end,      // behind '{'
    key,
    colon,
    after_value,
    string,
    escape,
    hexadecimal,
    literal,
    minus,
    zero,
    integer,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
    end,
    broken,
  };
  enum class Kind : std::uint8_t { string, number, literal, nested };

  std::size_t feed_string(std::string_view bytes);
  void step(char c);
  void begin_value(char c);
  void begin_string(bool is_key);
  void end_string();
  void end_value(Kind kind);
  void close(char bracket);
  void number(char c);
  void note(Kind kind);
  bool number_may_end() const;
  bool at_top() const { return open_.size() == 1; }

  State state_ = State::start;
  std::string open_;          // the open brackets
  bool is_key_ = false;       // the string being read
  std::string_view literal_;  // what is still to come of one
  int hexadecimal_left_ = 0;
  std::string key_;   // of the top object's current member
  std::string text_;  // of its value, cut after a few bytes

  bool has_op_ = false;
  bool is_message_ = false;
  bool has_seq_ = false;
  bool last_ = false;
  bool not_transactional_ = false;
  std::optional<protocol::Lsn> commit_lsn_;
  std::optional<protocol::Lsn> end_lsn_;
};

}  // namespace pgcourier::sinks
