// postgresql://user:password@host:port,host:port/dbname?keyword=value (libpq 34.1.1.2), as
// conninfo_uri_parse_options in libpq's fe-connect.c reads it.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "config/connection_keywords.hpp"

namespace pgcourier::config {
namespace {

constexpr std::string_view prefixes[] = {"postgresql://", "postgres://"};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `position`: of the token, for messages; the token itself may be a password.
std::string decode(std::string_view token, std::size_t position) {
  std::string decoded;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '%') {
      decoded += token[i];
      continue;
    }
    const int high = i + 1 < token.size() ? hex_digit(token[i + 1]) : -1;
    const int low = high >= 0 && i + 2 < token.size() ? hex_digit(token[i + 2]) : -1;
    if (low < 0) {
      throw SettingsError(fmt::format(
          "\"%\" without two hexadecimal digits at character {} of the connection URI (a \"%\" "
          "itself is written %25)",
          position + i + 1));
    }
    const int value = high * 16 + low;
    if (value == 0) {
      throw SettingsError(
          fmt::format("%00 is forbidden, at character {} of the connection URI", position + i + 1));
    }
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

class UriReader {
 public:
  UriReader(std::string_view text, std::size_t start) : text_(text), position_(start) {}

  ConnectionKeywords read() {
    read_credentials();
    read_hosts();
    if (peek() == '/') {
      const std::size_t start = ++position_;
      store_decoded("dbname", start, take_until("?"));
    }
    if (peek() == '?') {
      ++position_;
      while (position_ < text_.size()) read_parameter();
    }
    return std::move(keywords_);
  }

 private:
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  std::string_view take_until(std::string_view terminators) {
    const std::size_t start = position_;
    position_ = std::min(text_.find_first_of(terminators, start), text_.size());
    return text_.substr(start, position_ - start);
  }

  void store_decoded(std::string_view name, std::size_t start, std::string_view value) {
    if (!value.empty()) store_keyword(keywords_, name, decode(value, start), start);
  }

  void read_credentials() {
    const std::size_t start = position_;
    const std::size_t end = text_.find_first_of("@/", start);
    if (end == std::string_view::npos || text_[end] == '/') return;
    store_decoded("user", start, take_until(":@"));
    if (peek() == ':') {
      const std::size_t password = ++position_;
      store_decoded("password", password, take_until("@"));
    }
    ++position_;
  }

  // libpq decodes the joined list, so that %2C in a host is a comma between hosts to it.
  void read_hosts() {
    const std::size_t start = position_;
    std::string hosts, ports;
    for (;;) {
      hosts += peek() == '[' ? read_ipv6() : take_until(":/?,");
      if (peek() == ':') {
        ++position_;
        ports += take_until("/?,");
      }
      if (peek() != ',') break;
      ++position_;
      hosts += ',';
      ports += ',';
    }
    store_decoded("host", start, hosts);
    store_decoded("port", start, ports);
  }

  std::string_view read_ipv6() {
    const std::size_t bracket = position_++;
    const std::string_view address = take_until("]");
    if (peek() != ']') {
      throw SettingsError(fmt::format(
          "no \"]\" after the \"[\" at character {} of the connection URI", bracket + 1));
    }
    if (address.empty()) {
      throw SettingsError(fmt::format(
          "the IPv6 address at character {} of the connection URI is empty", bracket + 1));
    }
    ++position_;
    if (position_ < text_.size() &&
        std::string_view(":/?,").find(peek()) == std::string_view::npos) {
      throw SettingsError(fmt::format(
          "unexpected character {} of the connection URI, after an IPv6 address", position_ + 1));
    }
    return address;
  }

  void read_parameter() {
    const std::size_t start = position_;
    const std::string_view parameter = take_until("&");
    if (peek() == '&') ++position_;
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) {
      throw SettingsError(fmt::format(
          "no \"=\" in the parameter at character {} of the connection URI", start + 1));
    }
    if (parameter.find('=', equals + 1) != std::string_view::npos) {
      throw SettingsError(fmt::format(
          "more than one \"=\" in the parameter at character {} of the connection URI (one in a "
          "value is written %3D)",
          start + 1));
    }
    std::string name = decode(parameter.substr(0, equals), start);
    std::string value = decode(parameter.substr(equals + 1), start + equals + 1);
    // JDBC's way.
    if (name == "ssl" && value == "true") {
      name = "sslmode";
      value = "require";
    }
    store_keyword(keywords_, name, std::move(value), start);
  }

  std::string_view text_;
  std::size_t position_;
  ConnectionKeywords keywords_;
};

std::size_t prefix_length(std::string_view text) {
  for (const std::string_view prefix : prefixes) {
    if (text.starts_with(prefix)) return prefix.size();
  }
  return 0;
}

}  // namespace

bool is_connection_uri(std::string_view text) { return prefix_length(text) != 0; }

ConnectionKeywords parse_connection_uri(std::string_view text) {
  return UriReader(text, prefix_length(text)).read();
}

}  // namespace pgcourier::config
