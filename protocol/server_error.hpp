// ErrorResponse and NoticeResponse: their fields, §55.8, and the exception made of an error.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgcourier::protocol {

// The fields of one ErrorResponse or NoticeResponse; owns its text. Fields the server did not send
// are empty; those with codes unknown to us are kept in `other`.
struct ServerFields {
  std::string severity;              // S, localized
  std::string severity_unlocalized;  // V
  std::string sqlstate;              // C
  std::string message;               // M
  std::string detail;                // D
  std::string hint;                  // H
  std::string position;              // P
  std::string internal_position;     // p
  std::string internal_query;        // q
  std::string where;                 // W
  std::string schema_name;           // s
  std::string table_name;            // t
  std::string column_name;           // c
  std::string data_type_name;        // d
  std::string constraint_name;       // n
  std::string file;                  // F
  std::string line;                  // L
  std::string routine;               // R
  std::vector<std::pair<char, std::string>> other;
};

// One line for an operator: `ERROR 55006: replication slot "a" is active for PID 7; DETAIL: …;
// HINT: …`. Of each field no more than 16 KiB.
std::string to_string(const ServerFields& fields);

// The server refused or gave up. After it an ordinary connection is usable again once ReadyForQuery
// came, unless severity is FATAL or PANIC.
class ServerError : public std::runtime_error {
 public:
  explicit ServerError(ServerFields fields)
      : std::runtime_error(to_string(fields)), fields_(std::move(fields)) {}

  const ServerFields& fields() const { return fields_; }
  std::string_view sqlstate() const { return fields_.sqlstate; }

 private:
  ServerFields fields_;
};

}  // namespace pgcourier::protocol
