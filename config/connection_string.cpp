#include "config/connection_string.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <utility>

#include "config/connection_keywords.hpp"

namespace pgcourier::config {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// key = value pairs (libpq 34.1.1.1), as conninfo_parse in libpq's fe-connect.c reads them.
class KeyValueReader {
 public:
  explicit KeyValueReader(std::string_view text) : text_(text) {}

  ConnectionKeywords read() {
    ConnectionKeywords keywords;
    for (skip_spaces(); !at_end(); skip_spaces()) {
      const std::size_t start = position_;
      const std::string_view name = read_name(start);
      skip_spaces();
      std::string value = !at_end() && peek() == '\'' ? read_quoted() : read_plain();
      store_keyword(keywords, name, std::move(value), start);
    }
    return keywords;
  }

 private:
  bool at_end() const { return position_ == text_.size(); }
  char peek() const { return text_[position_]; }

  void skip_spaces() {
    while (!at_end() && is_space(peek())) ++position_;
  }

  std::string_view read_name(std::size_t start) {
    while (!at_end() && peek() != '=' && !is_space(peek())) ++position_;
    const std::string_view name = text_.substr(start, position_ - start);
    skip_spaces();
    if (at_end() || peek() != '=') {
      throw SettingsError(fmt::format(
          "missing \"=\" after the word at character {} of the connection string (a value with "
          "spaces needs single quotes)",
          start + 1));
    }
    ++position_;
    return name;
  }

  // A backslash takes the next character as it is; one at the end is nothing.
  void read_escaped(std::string& value) {
    ++position_;
    if (!at_end()) value += text_[position_++];
  }

  std::string read_plain() {
    std::string value;
    while (!at_end() && !is_space(peek())) {
      if (peek() == '\\') {
        read_escaped(value);
      } else {
        value += text_[position_++];
      }
    }
    return value;
  }

  std::string read_quoted() {
    const std::size_t start = position_++;
    std::string value;
    while (!at_end()) {
      if (peek() == '\'') {
        ++position_;
        return value;
      }
      if (peek() == '\\') {
        read_escaped(value);
      } else {
        value += text_[position_++];
      }
    }
    throw SettingsError(fmt::format(
        "the quoted value that begins at character {} of the connection string has no end",
        start + 1));
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

ConnectionKeywords parse_connection_string(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    throw SettingsError("the connection string has a NUL character");
  }
  if (is_connection_uri(text)) return parse_connection_uri(text);
  return KeyValueReader(text).read();
}

}  // namespace pgcourier::config
