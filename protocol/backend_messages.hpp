// What a server says about the session itself, §55.7: keys, parameters, errors, notices.
// Authentication is in authentication_messages.hpp, queries and COPY in query_messages.hpp.
//
// Every reader takes the body of one whole message, gives views into it unless it says otherwise,
// and throws ProtocolError for anything but exactly that message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/server_error.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// 'K'. The key is 4 bytes long in protocol 3.0, up to 256 in 3.2.
struct BackendKeyData {
  static constexpr std::string_view name = "BackendKeyData";
  std::int32_t process_id = 0;
  ByteView cancel_key;
};
BackendKeyData read_backend_key_data(ByteView body);

// 'S'.
struct ParameterStatus {
  static constexpr std::string_view name = "ParameterStatus";
  ByteView parameter;
  ByteView value;
};
ParameterStatus read_parameter_status(ByteView body);

// 'v'.
struct NegotiateProtocolVersion {
  static constexpr std::string_view name = "NegotiateProtocolVersion";
  // The newest the server knows of the major version asked for. The manual says a minor number;
  // servers send major << 16 | minor.
  std::uint32_t newest_version = 0;
  std::vector<ByteView> unrecognized_options;
};
NegotiateProtocolVersion read_negotiate_protocol_version(ByteView body);

// 'Z'.
enum class TransactionStatus : char { idle = 'I', in_transaction = 'T', failed = 'E' };
struct ReadyForQuery {
  static constexpr std::string_view name = "ReadyForQuery";
  TransactionStatus status = TransactionStatus::idle;
};
ReadyForQuery read_ready_for_query(ByteView body);

// 'A'.
struct NotificationResponse {
  static constexpr std::string_view name = "NotificationResponse";
  std::int32_t process_id = 0;
  ByteView channel;
  ByteView payload;
};
NotificationResponse read_notification_response(ByteView body);

// 'E' and 'N'. Owns its text.
ServerFields read_server_fields(ByteView body);

// For messages that are their type byte alone: BindComplete, CopyDone ….
void read_empty_message(ByteView body, std::string_view message_name);

// "DataRow ('D')", or "unknown message type 0x07": for sentences about what came at the wrong time.
std::string describe_backend_message(char type);

}  // namespace pgcourier::protocol
