#include "protocol/query_messages.hpp"

#include <algorithm>

namespace pgcourier::protocol {
namespace {

FormatCode format_code(WireReader& in, std::uint16_t code) {
  if (code > 1) in.fail("a format code other than 0 and 1");
  return code == 1 ? FormatCode::binary : FormatCode::text;
}

std::optional<ByteView> nullable_value(WireReader& in) {
  constexpr std::uint32_t null_length = 0xffff'ffff;  // -1
  const std::uint32_t length = in.u32();
  if (length == null_length) return std::nullopt;
  return in.bytes(length);
}

}  // namespace

RowDescription read_row_description(ByteView body) {
  constexpr std::size_t least_bytes_of_field = 19;
  WireReader in(body);
  RowDescription message;
  const std::size_t count = in.u16();
  message.fields.reserve(std::min(count, in.remaining() / least_bytes_of_field));
  for (std::size_t left = count; left > 0 && in.ok(); --left) {
    FieldDescription field;
    field.name = in.c_string();
    field.table_oid = in.u32();
    field.column_number = in.u16();
    field.type_oid = in.u32();
    field.type_size = static_cast<std::int16_t>(in.u16());
    field.type_modifier = in.i32();
    field.format = format_code(in, in.u16());
    message.fields.push_back(field);
  }
  in.finish(RowDescription::name);
  return message;
}

void read_data_row(ByteView body, std::vector<std::optional<ByteView>>& values) {
  WireReader in(body);
  values.clear();
  for (std::uint16_t left = in.u16(); left > 0 && in.ok(); --left) {
    values.push_back(nullable_value(in));
  }
  in.finish("DataRow");
}

ByteView read_command_complete(ByteView body) {
  WireReader in(body);
  const ByteView tag = in.c_string();
  in.finish("CommandComplete");
  return tag;
}

ParameterDescription read_parameter_description(ByteView body) {
  WireReader in(body);
  ParameterDescription message;
  const std::size_t count = in.u16();
  message.type_oids.reserve(std::min(count, in.remaining() / sizeof(std::uint32_t)));
  for (std::size_t left = count; left > 0 && in.ok(); --left) message.type_oids.push_back(in.u32());
  in.finish(ParameterDescription::name);
  return message;
}

FunctionCallResponse read_function_call_response(ByteView body) {
  WireReader in(body);
  FunctionCallResponse message;
  message.value = nullable_value(in);
  in.finish(FunctionCallResponse::name);
  return message;
}

CopyResponse read_copy_response(ByteView body) {
  WireReader in(body);
  CopyResponse message;
  message.format = format_code(in, in.u8());
  const std::size_t count = in.u16();
  message.column_formats.reserve(std::min(count, in.remaining() / sizeof(std::uint16_t)));
  for (std::size_t left = count; left > 0 && in.ok(); --left) {
    message.column_formats.push_back(format_code(in, in.u16()));
  }
  in.finish(CopyResponse::name);
  return message;
}

}  // namespace pgcourier::protocol
