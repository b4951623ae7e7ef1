#include "protocol/backend_messages.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::size_t shortest_cancel_key = 4;
constexpr std::size_t longest_cancel_key = 256;

std::string* field_of_code(ServerFields& fields, char code) {
  switch (code) {
    case 'S':
      return &fields.severity;
    case 'V':
      return &fields.severity_unlocalized;
    case 'C':
      return &fields.sqlstate;
    case 'M':
      return &fields.message;
    case 'D':
      return &fields.detail;
    case 'H':
      return &fields.hint;
    case 'P':
      return &fields.position;
    case 'p':
      return &fields.internal_position;
    case 'q':
      return &fields.internal_query;
    case 'W':
      return &fields.where;
    case 's':
      return &fields.schema_name;
    case 't':
      return &fields.table_name;
    case 'c':
      return &fields.column_name;
    case 'd':
      return &fields.data_type_name;
    case 'n':
      return &fields.constraint_name;
    case 'F':
      return &fields.file;
    case 'L':
      return &fields.line;
    case 'R':
      return &fields.routine;
    default:
      return nullptr;
  }
}

std::string_view name_of_type(char type) {
  switch (type) {
    case 'R':
      return "Authentication";
    case 'K':
      return BackendKeyData::name;
    case 'S':
      return ParameterStatus::name;
    case 'v':
      return NegotiateProtocolVersion::name;
    case 'Z':
      return ReadyForQuery::name;
    case 'A':
      return NotificationResponse::name;
    case 'E':
      return "ErrorResponse";
    case 'N':
      return "NoticeResponse";
    case 'T':
      return "RowDescription";
    case 'D':
      return "DataRow";
    case 'C':
      return "CommandComplete";
    case 'I':
      return "EmptyQueryResponse";
    case '1':
      return "ParseComplete";
    case '2':
      return "BindComplete";
    case '3':
      return "CloseComplete";
    case 'n':
      return "NoData";
    case 't':
      return "ParameterDescription";
    case 's':
      return "PortalSuspended";
    case 'G':
      return "CopyInResponse";
    case 'H':
      return "CopyOutResponse";
    case 'W':
      return "CopyBothResponse";
    case 'd':
      return "CopyData";
    case 'c':
      return "CopyDone";
    case 'V':
      return "FunctionCallResponse";
    default:
      return {};
  }
}

}  // namespace

BackendKeyData read_backend_key_data(ByteView body) {
  WireReader in(body);
  BackendKeyData message;
  message.process_id = in.i32();
  if (in.remaining() < shortest_cancel_key) in.fail("the cancel key is shorter than 4 bytes");
  if (in.remaining() > longest_cancel_key) in.fail("the cancel key is longer than 256 bytes");
  message.cancel_key = in.rest();
  in.finish(BackendKeyData::name);
  return message;
}

ParameterStatus read_parameter_status(ByteView body) {
  WireReader in(body);
  ParameterStatus message;
  message.parameter = in.c_string();
  message.value = in.c_string();
  in.finish(ParameterStatus::name);
  return message;
}

NegotiateProtocolVersion read_negotiate_protocol_version(ByteView body) {
  WireReader in(body);
  NegotiateProtocolVersion message;
  message.newest_version = in.u32();
  for (std::uint32_t left = in.u32(); left > 0 && in.ok(); --left) {
    message.unrecognized_options.push_back(in.c_string());
  }
  in.finish(NegotiateProtocolVersion::name);
  return message;
}

ReadyForQuery read_ready_for_query(ByteView body) {
  WireReader in(body);
  const auto status = static_cast<TransactionStatus>(in.u8());
  switch (status) {
    case TransactionStatus::idle:
    case TransactionStatus::in_transaction:
    case TransactionStatus::failed:
      break;
    default:
      in.fail("the transaction status is none of I, T and E");
  }
  in.finish(ReadyForQuery::name);
  return {.status = status};
}

NotificationResponse read_notification_response(ByteView body) {
  WireReader in(body);
  NotificationResponse message;
  message.process_id = in.i32();
  message.channel = in.c_string();
  message.payload = in.c_string();
  in.finish(NotificationResponse::name);
  return message;
}

// Of servers to come; of 2 bytes each, where the list takes 40.
constexpr std::size_t max_other_fields = 64;

ServerFields read_server_fields(ByteView body) {
  WireReader in(body);
  ServerFields fields;
  for (char code = static_cast<char>(in.u8()); code != '\0'; code = static_cast<char>(in.u8())) {
    const ByteView text = in.c_string();
    if (!in.ok()) break;
    if (auto* field = field_of_code(fields, code)) {
      *field = text;
    } else if (fields.other.size() < max_other_fields) {
      fields.other.emplace_back(code, text);
    } else {
      throw ProtocolError("ErrorResponse or NoticeResponse", "too many fields");
    }
  }
  in.finish("ErrorResponse or NoticeResponse");
  return fields;
}

void read_empty_message(ByteView body, std::string_view message_name) {
  WireReader(body).finish(message_name);
}

std::string describe_backend_message(char type) {
  const auto name = name_of_type(type);
  if (!name.empty()) return std::string(name) + " ('" + type + "')";
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(type);
  return std::string("unknown message type 0x") + digits[byte >> 4] + digits[byte & 0xf];
}

}  // namespace pgcourier::protocol
