#include "protocol/frontend_messages.hpp"

#include <limits>
#include <stdexcept>

#include "protocol/wire_writer.hpp"

namespace pgcourier::protocol {
namespace {

// Version numbers that never will be, §55.7.
constexpr std::uint32_t gss_enc_request_code = 1234 << 16 | 5680;
constexpr std::uint32_t ssl_request_code = 1234 << 16 | 5679;
constexpr std::uint32_t cancel_request_code = 1234 << 16 | 5678;

std::uint16_t count16(std::size_t count) {
  if (count > std::numeric_limits<std::uint16_t>::max()) {
    throw std::length_error("more than 65535 parameters or arguments");
  }
  return static_cast<std::uint16_t>(count);
}

std::uint32_t length32(ByteView value) {
  if (value.size() > std::numeric_limits<std::int32_t>::max()) {
    throw std::length_error("a value longer than 2 GiB can't be sent");
  }
  return static_cast<std::uint32_t>(value.size());
}

void append_request_code(std::string& out, std::uint32_t code) {
  WireWriter writer(out);
  writer.begin_untagged_message();
  writer.u32(code);
  writer.finish_message();
}

void append_empty_message(std::string& out, char type) {
  WireWriter writer(out);
  writer.begin_message(type);
  writer.finish_message();
}

void append_text_message(std::string& out, char type, std::string_view text) {
  WireWriter writer(out);
  writer.begin_message(type);
  writer.c_string(text);
  writer.finish_message();
}

void append_data_message(std::string& out, char type, ByteView data) {
  WireWriter writer(out);
  writer.begin_message(type);
  writer.bytes(data);
  writer.finish_message();
}

void append_named_message(std::string& out, char type, DescribeTarget target,
                          std::string_view name) {
  WireWriter writer(out);
  writer.begin_message(type);
  writer.u8(static_cast<std::uint8_t>(target));
  writer.c_string(name);
  writer.finish_message();
}

// As Bind and FunctionCall have them: a format each, then the values.
void write_values(WireWriter& writer, std::span<const BindParameter> values) {
  constexpr std::int32_t null_length = -1;
  const std::uint16_t count = count16(values.size());
  writer.u16(count);
  for (const auto& value : values) writer.u16(static_cast<std::uint16_t>(value.format));
  writer.u16(count);
  for (const auto& value : values) {
    if (value.value) {
      writer.u32(length32(*value.value));
      writer.bytes(*value.value);
    } else {
      writer.i32(null_length);
    }
  }
}

}  // namespace

void append_startup_message(std::string& out, std::uint32_t version,
                            std::span<const StartupParameter> parameters) {
  WireWriter writer(out);
  writer.begin_untagged_message();
  writer.u32(version);
  for (const auto& [name, value] : parameters) {
    // An empty name would end the list for the server.
    if (name.empty()) throw std::invalid_argument("a start-up parameter without a name");
    writer.c_string(name);
    writer.c_string(value);
  }
  writer.u8(0);
  writer.finish_message();
}

void append_ssl_request(std::string& out) { append_request_code(out, ssl_request_code); }

void append_gss_enc_request(std::string& out) { append_request_code(out, gss_enc_request_code); }

void append_cancel_request(std::string& out, std::int32_t process_id, ByteView cancel_key) {
  WireWriter writer(out);
  writer.begin_untagged_message();
  writer.u32(cancel_request_code);
  writer.i32(process_id);
  writer.bytes(cancel_key);
  writer.finish_message();
}

void append_password_message(std::string& out, std::string_view password) {
  append_text_message(out, 'p', password);
}

void append_sasl_initial_response(std::string& out, std::string_view mechanism, ByteView data) {
  WireWriter writer(out);
  writer.begin_message('p');
  writer.c_string(mechanism);
  writer.u32(length32(data));
  writer.bytes(data);
  writer.finish_message();
}

void append_sasl_response(std::string& out, ByteView data) { append_data_message(out, 'p', data); }

void append_gss_response(std::string& out, ByteView token) { append_data_message(out, 'p', token); }

void append_query(std::string& out, std::string_view sql) { append_text_message(out, 'Q', sql); }

void append_parse(std::string& out, std::string_view statement, std::string_view sql,
                  std::span<const std::uint32_t> parameter_type_oids) {
  WireWriter writer(out);
  writer.begin_message('P');
  writer.c_string(statement);
  writer.c_string(sql);
  writer.u16(count16(parameter_type_oids.size()));
  for (const std::uint32_t oid : parameter_type_oids) writer.u32(oid);
  writer.finish_message();
}

void append_bind(std::string& out, std::string_view portal, std::string_view statement,
                 std::span<const BindParameter> parameters, FormatCode result_format) {
  WireWriter writer(out);
  writer.begin_message('B');
  writer.c_string(portal);
  writer.c_string(statement);
  write_values(writer, parameters);
  writer.u16(1);
  writer.u16(static_cast<std::uint16_t>(result_format));
  writer.finish_message();
}

void append_describe(std::string& out, DescribeTarget target, std::string_view name) {
  append_named_message(out, 'D', target, name);
}

void append_close(std::string& out, DescribeTarget target, std::string_view name) {
  append_named_message(out, 'C', target, name);
}

void append_execute(std::string& out, std::string_view portal, std::uint32_t max_rows) {
  WireWriter writer(out);
  writer.begin_message('E');
  writer.c_string(portal);
  writer.u32(max_rows);
  writer.finish_message();
}

void append_sync(std::string& out) { append_empty_message(out, 'S'); }

void append_flush(std::string& out) { append_empty_message(out, 'H'); }

void append_function_call(std::string& out, std::uint32_t function_oid,
                          std::span<const BindParameter> arguments, FormatCode result_format) {
  WireWriter writer(out);
  writer.begin_message('F');
  writer.u32(function_oid);
  write_values(writer, arguments);
  writer.u16(static_cast<std::uint16_t>(result_format));
  writer.finish_message();
}

void append_copy_data(std::string& out, ByteView data) { append_data_message(out, 'd', data); }

void append_copy_done(std::string& out) { append_empty_message(out, 'c'); }

void append_copy_fail(std::string& out, std::string_view reason) {
  append_text_message(out, 'f', reason);
}

void append_terminate(std::string& out) { append_empty_message(out, 'X'); }

}  // namespace pgcourier::protocol
