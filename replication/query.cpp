#include "replication/query.hpp"

#include <span>
#include <utility>

#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/query_messages.hpp"

namespace pgcourier::replication {
namespace {

using protocol::ByteView;
using protocol::FramedMessage;

// Nobody has to ask for the notices.
constexpr std::size_t max_notices = 256;

[[noreturn]] void unexpected(const FramedMessage& message, std::string_view when) {
  throw protocol::ProtocolError(protocol::describe_backend_message(message.type),
                                "unexpected " + std::string(when));
}

// The error to throw at ReadyForQuery; a fatal one at once, for nothing comes after it.
void note_error(std::optional<protocol::ServerFields>& first, const FramedMessage& message) {
  auto fields = protocol::read_server_fields(message.body);
  if (is_fatal(fields)) throw protocol::ServerError(std::move(fields));
  if (!first) first = std::move(fields);
}

void start_result_set(QueryResult& result, ByteView body) {
  result.columns.clear();
  result.rows.clear();
  for (const auto& field : protocol::read_row_description(body).fields) {
    result.columns.emplace_back(field.name);
  }
}

void add_row(QueryResult& result, ByteView body, std::vector<std::optional<ByteView>>& values) {
  protocol::read_data_row(body, values);
  if (values.size() != result.columns.size()) {
    throw protocol::ProtocolError("DataRow", std::to_string(values.size()) + " values for " +
                                                 std::to_string(result.columns.size()) +
                                                 " columns");
  }
  auto& row = result.rows.emplace_back();
  row.reserve(values.size());
  for (const auto& value : values) {
    row.push_back(value ? std::optional<std::string>(*value) : std::nullopt);
  }
}

}  // namespace

bool SessionState::take(const FramedMessage& message) {
  switch (message.type) {
    case 'N':
      if (notices.size() == max_notices) notices.erase(notices.begin());
      notices.push_back(protocol::read_server_fields(message.body));
      return true;
    case 'S': {
      const auto status = protocol::read_parameter_status(message.body);
      server.parameters.insert_or_assign(std::string(status.parameter), std::string(status.value));
      return true;
    }
    case 'A':
      static_cast<void>(protocol::read_notification_response(message.body));
      return true;
    default:
      return false;
  }
}

bool is_fatal(const protocol::ServerFields& error) {
  const std::string& severity =
      error.severity_unlocalized.empty() ? error.severity : error.severity_unlocalized;
  return severity == "FATAL" || severity == "PANIC";
}

std::string simple_query(std::string_view sql) {
  std::string out;
  protocol::append_query(out, sql);
  return out;
}

std::string extended_query(std::string_view sql,
                           const std::vector<std::optional<std::string>>& parameters) {
  std::vector<protocol::BindParameter> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) {
    auto& value = values.emplace_back();
    if (parameter) value.value = *parameter;
  }
  std::string out;
  protocol::append_parse(out, "", sql);
  protocol::append_bind(out, "", "", values);
  protocol::append_describe(out, protocol::DescribeTarget::portal, "");
  protocol::append_execute(out, "");
  protocol::append_sync(out);
  return out;
}

asio::awaitable<QueryResult> read_result(MessageStream& stream, SessionState& state) {
  QueryResult result;
  std::optional<protocol::ServerFields> error;
  std::vector<std::optional<ByteView>> values;
  for (;;) {
    const FramedMessage message = co_await stream.next();
    if (state.take(message)) continue;
    switch (message.type) {
      case 'T':
        start_result_set(result, message.body);
        break;
      case 'D':
        add_row(result, message.body, values);
        break;
      case 'C':
        result.command_tag = protocol::read_command_complete(message.body);
        break;
      case 'E':
        note_error(error, message);
        break;
      case '1':  // ParseComplete
      case '2':  // BindComplete
      case 'n':  // NoData
      case 'I':  // EmptyQueryResponse
        protocol::read_empty_message(message.body,
                                     protocol::describe_backend_message(message.type));
        break;
      case 'Z':
        static_cast<void>(protocol::read_ready_for_query(message.body));
        if (error) throw protocol::ServerError(std::move(*error));
        co_return result;
      default:
        unexpected(message, "as the answer to a query");
    }
  }
}

asio::awaitable<void> read_copy_both_response(MessageStream& stream, SessionState& state) {
  std::optional<protocol::ServerFields> error;
  for (;;) {
    const FramedMessage message = co_await stream.next();
    if (state.take(message)) continue;
    if (message.type == 'W' && !error) {
      static_cast<void>(protocol::read_copy_response(message.body));
      co_return;
    }
    if (message.type == 'E') {
      note_error(error, message);
    } else if (message.type == 'Z' && error) {
      throw protocol::ServerError(std::move(*error));
    } else {
      unexpected(message, "instead of CopyBothResponse");
    }
  }
}

}  // namespace pgcourier::replication
