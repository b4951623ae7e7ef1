// A server's bytes before anybody has looked at them: cut into messages, each read by its decoder.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "protocol/authentication_messages.hpp"
#include "protocol/backend_messages.hpp"
#include "protocol/message_framer.hpp"
#include "protocol/query_messages.hpp"

namespace {

using namespace pgcourier::protocol;

void read(const FramedMessage& message) {
  static std::vector<std::optional<ByteView>> values;
  switch (message.type) {
    case 'R':
      read_authentication(message.body);
      break;
    case 'K':
      read_backend_key_data(message.body);
      break;
    case 'S':
      read_parameter_status(message.body);
      break;
    case 'v':
      read_negotiate_protocol_version(message.body);
      break;
    case 'Z':
      read_ready_for_query(message.body);
      break;
    case 'A':
      read_notification_response(message.body);
      break;
    case 'E':
    case 'N':
      (void)to_string(read_server_fields(message.body));
      break;
    case 'T':
      read_row_description(message.body);
      break;
    case 'D':
      read_data_row(message.body, values);
      break;
    case 'C':
      read_command_complete(message.body);
      break;
    case 't':
      read_parameter_description(message.body);
      break;
    case 'V':
      read_function_call_response(message.body);
      break;
    case 'G':
    case 'H':
    case 'W':
      read_copy_response(message.body);
      break;
    default:
      read_empty_message(message.body, describe_backend_message(message.type));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView rest(reinterpret_cast<const char*>(data), size);
  try {
    const auto unframed = frame_unframed_error(rest, max_startup_message_bytes);
    if (unframed && unframed->message && unframed->message->size > size) std::abort();
    while (const auto message = frame_message(rest, max_startup_message_bytes).message) {
      rest.remove_prefix(message->size);
      try {
        read(*message);
      } catch (const ProtocolError&) {  // the framing is still right
      }
    }
  } catch (const ProtocolError&) {
  }
  return 0;
}
