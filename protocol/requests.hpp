// What a client asks of a session that is open, §55.2.2–55.2.5: the bytes, and what each of them
// must be answered with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frontend_messages.hpp"

namespace pgcourier::protocol {

// A message that has an answer; Flush has none.
enum class Request : std::uint8_t {
  query,
  parse,
  bind,
  describe_statement,
  describe_portal,
  execute,
  close,
  sync,
  function_call,
};

// Requests in the order they are sent. An empty name is the unnamed statement or portal. Names and
// SQL with a zero byte throw std::invalid_argument; what no length can say, std::length_error.
class Requests {
 public:
  Requests& query(std::string_view sql);
  Requests& parse(std::string_view statement, std::string_view sql,
                  std::span<const std::uint32_t> parameter_type_oids = {});
  Requests& bind(std::string_view portal, std::string_view statement,
                 std::span<const BindParameter> parameters,
                 FormatCode result_format = FormatCode::text);
  Requests& describe_statement(std::string_view statement);
  Requests& describe_portal(std::string_view portal);
  // At most `max_rows`, then PortalSuspended; 0: all.
  Requests& execute(std::string_view portal, std::uint32_t max_rows = 0);
  Requests& close_statement(std::string_view statement);
  Requests& close_portal(std::string_view portal);
  Requests& flush();
  Requests& sync();
  Requests& function_call(std::uint32_t function_oid, std::span<const BindParameter> arguments,
                          FormatCode result_format);

  const std::string& bytes() const { return bytes_; }
  const std::vector<Request>& asked() const { return asked_; }

 private:
  Requests& add(Request request);

  std::string bytes_;
  std::vector<Request> asked_;
};

}  // namespace pgcourier::protocol
