// What a server answers to queries and COPY, §55.7.
//
// Every reader takes the body of one whole message, gives views into it, and throws ProtocolError
// for anything but exactly that message. ParseComplete, BindComplete, CloseComplete, NoData,
// PortalSuspended, EmptyQueryResponse and CopyDone have no fields: read_empty_message(). The body
// of CopyData is the data.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

enum class FormatCode : std::uint16_t { text = 0, binary = 1 };

struct FieldDescription {
  ByteView name;
  std::uint32_t table_oid = 0;      // 0: not a column of a table
  std::uint16_t column_number = 0;  // attnum; 0 likewise
  std::uint32_t type_oid = 0;
  std::int16_t type_size = 0;  // pg_type.typlen, negative for variable width
  std::int32_t type_modifier = -1;
  FormatCode format = FormatCode::text;
};

// 'T'.
struct RowDescription {
  static constexpr std::string_view name = "RowDescription";
  std::vector<FieldDescription> fields;
};
RowDescription read_row_description(ByteView body);

// 'D'. Replaces the content of `values`, whose memory is kept from row to row; NULL is empty.
void read_data_row(ByteView body, std::vector<std::optional<ByteView>>& values);

// 'C', such as "SELECT 3".
ByteView read_command_complete(ByteView body);

// 't'.
struct ParameterDescription {
  static constexpr std::string_view name = "ParameterDescription";
  std::vector<std::uint32_t> type_oids;
};
ParameterDescription read_parameter_description(ByteView body);

// 'V'.
struct FunctionCallResponse {
  static constexpr std::string_view name = "FunctionCallResponse";
  std::optional<ByteView> value;  // empty: NULL
};
FunctionCallResponse read_function_call_response(ByteView body);

// 'G', 'H' and 'W': CopyInResponse, CopyOutResponse, CopyBothResponse.
struct CopyResponse {
  static constexpr std::string_view name = "CopyResponse";
  FormatCode format = FormatCode::text;
  std::vector<FormatCode> column_formats;
};
CopyResponse read_copy_response(ByteView body);

}  // namespace pgcourier::protocol
