#include "sinks/file_line.hpp"

#include <algorithm>
#include <utility>

namespace pgcourier::sinks {
namespace {

// Longer keys and values are none of those that count.
constexpr std::size_t longest_text = 40;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool hexadecimal_digit(char c) {
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

}  // namespace

bool LineReader::feed(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::broken) {
    if (state_ == State::string) {
      bytes.remove_prefix(feed_string(bytes));
    } else {
      step(bytes.front());
      bytes.remove_prefix(1);
    }
  }
  return state_ != State::broken;
}

std::optional<LineFacts> LineReader::finish() {
  const LineReader line = std::exchange(*this, LineReader());
  if (line.state_ != State::end || !line.has_op_ || !line.commit_lsn_) return std::nullopt;
  if (line.has_seq_) {
    if (line.last_ != line.end_lsn_.has_value()) return std::nullopt;
    return LineFacts{*line.commit_lsn_, true, line.end_lsn_};
  }
  if (!line.is_message_ || !line.not_transactional_) return std::nullopt;
  return LineFacts{*line.commit_lsn_, false, line.commit_lsn_};
}

// The bulk of a line: up to what ends or changes the string.
std::size_t LineReader::feed_string(std::string_view bytes) {
  std::size_t size = 0;
  while (size < bytes.size() && bytes[size] != '"' && bytes[size] != '\\' &&
         static_cast<unsigned char>(bytes[size]) >= 0x20) {
    ++size;
  }
  auto& text = is_key_ ? key_ : text_;
  if (at_top() && text.size() <= longest_text) {
    text.append(bytes.substr(0, std::min(size, longest_text + 1)));
  }
  if (size == bytes.size()) return size;
  if (bytes[size] == '"') {
    end_string();
  } else {
    state_ = bytes[size] == '\\' ? State::escape : State::broken;
    if (at_top()) text.push_back('\\');  // none of those that count has one
  }
  return size + 1;
}

void LineReader::step(char c) {
  switch (state_) {
    case State::start:
      if (c != '{') {
        state_ = State::broken;
        return;
      }
      begin_value(c);
      return;
    case State::value:
      if (!space(c)) begin_value(c);
      return;
    case State::element_or_end:
      if (space(c)) return;
      c == ']' ? close('[') : begin_value(c);
      return;
    case State::key_or_end:
      if (c == '}') {
        close('{');
        return;
      }
      [[fallthrough]];
    case State::key:
      if (space(c)) return;
      c == '"' ? begin_string(true) : void(state_ = State::broken);
      return;
    case State::colon:
      if (!space(c)) state_ = c == ':' ? State::value : State::broken;
      return;
    case State::after_value:
      if (space(c)) return;
      if (c == ',') {
        state_ = open_.back() == '{' ? State::key : State::value;
      } else if (c == '}' || c == ']') {
        close(c == '}' ? '{' : '[');
      } else {
        state_ = State::broken;
      }
      return;
    case State::escape:
      state_ = contains("\"\\/bfnrt", c) ? State::string : State::broken;
      if (c == 'u') {
        state_ = State::hexadecimal;
        hexadecimal_left_ = 4;
      }
      return;
    case State::hexadecimal:
      if (!hexadecimal_digit(c)) {
        state_ = State::broken;
      } else if (--hexadecimal_left_ == 0) {
        state_ = State::string;
      }
      return;
    case State::literal:
      if (c != literal_.front()) {
        state_ = State::broken;
        return;
      }
      literal_.remove_prefix(1);
      if (literal_.empty()) end_value(Kind::literal);
      return;
    case State::string:  // see feed_string()
    case State::end:
    case State::broken:
      state_ = State::broken;
      return;
    default:
      number(c);
  }
}

void LineReader::begin_value(char c) {
  if (at_top()) text_.clear();
  const auto begin_literal = [this](std::string_view literal) {
    state_ = State::literal;
    if (at_top()) text_ = literal;
    literal_ = literal.substr(1);
  };
  if (c == '{' || c == '[') {
    open_.push_back(c);
    state_ = c == '{' ? State::key_or_end : State::element_or_end;
  } else if (c == '"') {
    begin_string(false);
  } else if (c == 't') {
    begin_literal("true");
  } else if (c == 'f') {
    begin_literal("false");
  } else if (c == 'n') {
    begin_literal("null");
  } else if (c == '-') {
    state_ = State::minus;
  } else if (digit(c)) {
    state_ = c == '0' ? State::zero : State::integer;
  } else {
    state_ = State::broken;
  }
}

void LineReader::begin_string(bool is_key) {
  is_key_ = is_key;
  state_ = State::string;
  if (at_top()) (is_key ? key_ : text_).clear();
}

void LineReader::end_string() {
  if (is_key_) {
    state_ = State::colon;
  } else {
    end_value(Kind::string);
  }
}

void LineReader::end_value(Kind kind) {
  state_ = State::after_value;
  if (at_top()) note(kind);
}

void LineReader::close(char bracket) {
  if (open_.back() != bracket) {
    state_ = State::broken;
    return;
  }
  open_.pop_back();
  if (open_.empty()) {
    state_ = State::end;
  } else {
    end_value(Kind::nested);
  }
}

bool LineReader::number_may_end() const {
  return state_ == State::zero || state_ == State::integer || state_ == State::fraction ||
         state_ == State::exponent_digits;
}

void LineReader::number(char c) {
  const bool whole = state_ == State::zero || state_ == State::integer;
  if (number_may_end() && (space(c) || contains(",}]", c))) {
    end_value(Kind::number);
    step(c);
  } else if (whole && c == '.') {
    state_ = State::point;
  } else if ((whole || state_ == State::fraction) && (c == 'e' || c == 'E')) {
    state_ = State::exponent;
  } else if (state_ == State::exponent && (c == '+' || c == '-')) {
    state_ = State::exponent_sign;
  } else if (!digit(c) || state_ == State::zero) {
    state_ = State::broken;
  } else if (state_ == State::minus) {
    state_ = c == '0' ? State::zero : State::integer;
  } else if (state_ == State::point) {
    state_ = State::fraction;
  } else if (state_ == State::exponent || state_ == State::exponent_sign) {
    state_ = State::exponent_digits;
  }
}

void LineReader::note(Kind kind) {
  if (key_ == "op") {
    has_op_ = kind == Kind::string;
    is_message_ = text_ == "message";
  } else if (key_ == "commit_lsn") {
    commit_lsn_ = kind == Kind::string ? protocol::parse_lsn(text_) : std::nullopt;
  } else if (key_ == "seq") {
    has_seq_ = kind == Kind::number;
  } else if (key_ == "last") {
    last_ = kind == Kind::literal && text_ == "true";
  } else if (key_ == "end_lsn") {
    end_lsn_ = kind == Kind::string ? protocol::parse_lsn(text_) : std::nullopt;
  } else if (key_ == "transactional") {
    not_transactional_ = kind == Kind::literal && text_ == "false";
  }
}

}  // namespace pgcourier::sinks
