#include "protocol/requests.hpp"

namespace pgcourier::protocol {

Requests& Requests::add(Request request) {
  asked_.push_back(request);
  return *this;
}

Requests& Requests::query(std::string_view sql) {
  append_query(bytes_, sql);
  return add(Request::query);
}

Requests& Requests::parse(std::string_view statement, std::string_view sql,
                          std::span<const std::uint32_t> parameter_type_oids) {
  append_parse(bytes_, statement, sql, parameter_type_oids);
  return add(Request::parse);
}

Requests& Requests::bind(std::string_view portal, std::string_view statement,
                         std::span<const BindParameter> parameters, FormatCode result_format) {
  append_bind(bytes_, portal, statement, parameters, result_format);
  return add(Request::bind);
}

Requests& Requests::describe_statement(std::string_view statement) {
  append_describe(bytes_, DescribeTarget::statement, statement);
  return add(Request::describe_statement);
}

Requests& Requests::describe_portal(std::string_view portal) {
  append_describe(bytes_, DescribeTarget::portal, portal);
  return add(Request::describe_portal);
}

Requests& Requests::execute(std::string_view portal, std::uint32_t max_rows) {
  append_execute(bytes_, portal, max_rows);
  return add(Request::execute);
}

Requests& Requests::close_statement(std::string_view statement) {
  append_close(bytes_, DescribeTarget::statement, statement);
  return add(Request::close);
}

Requests& Requests::close_portal(std::string_view portal) {
  append_close(bytes_, DescribeTarget::portal, portal);
  return add(Request::close);
}

Requests& Requests::flush() {
  append_flush(bytes_);
  return *this;
}

Requests& Requests::sync() {
  append_sync(bytes_);
  return add(Request::sync);
}

Requests& Requests::function_call(std::uint32_t function_oid,
                                  std::span<const BindParameter> arguments,
                                  FormatCode result_format) {
  append_function_call(bytes_, function_oid, arguments, result_format);
  return add(Request::function_call);
}

}  // namespace pgcourier::protocol
