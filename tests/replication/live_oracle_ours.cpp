#include <fmt/format.h>

#include <bit>
#include <exception>
#include <future>

#include "tests/replication/live_oracle.hpp"
#include "tests/replication/live_sleep.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication::test {
namespace {

using protocol::BindParameter;
using protocol::FormatCode;
using protocol::Reply;
using protocol::Requests;

std::string fields_of(const protocol::ServerFields& fields) {
  return text_of_fields(
      {fields.severity, fields.severity_unlocalized, fields.sqlstate, fields.message, fields.detail,
       fields.hint, fields.position, fields.internal_position, fields.internal_query, fields.where,
       fields.schema_name, fields.table_name, fields.column_name, fields.data_type_name,
       fields.constraint_name, fields.file, fields.line, fields.routine});
}

// libpq: a keyword. Here: what the caller wants the connection for.
Purpose purpose_of(const config::ConnectionKeywords& keywords) {
  const auto replication = keywords.find("replication");
  if (replication == keywords.end()) return Purpose::sql;
  return replication->second == "database" ? Purpose::replication : Purpose::physical_replication;
}

std::vector<BindParameter> text_parameters(const Values& values) {
  std::vector<BindParameter> parameters;
  for (const auto& value : values) {
    parameters.push_back({.value = value, .format = FormatCode::text});
  }
  return parameters;
}

// As PQsendQueryParams sends it.
void append_extended(Requests& requests, const std::string& sql, const Values& values,
                     FormatCode result_format) {
  requests.parse("", sql).bind("", "", text_parameters(values), result_format);
  requests.describe_portal("").execute("");
}

class OurSide : public Side {
 public:
  explicit OurSide(const std::string& connection) {
    try {
      const auto keywords = config::parse_connection_string(connection);
      std::vector<std::string> warnings;
      const auto target = config::resolve_connection(keywords, std::nullopt,
                                                     config::process_surroundings(), warnings);
      run(io_, connection_.open(target, purpose_of(keywords), {}));
      connected_ = true;
    } catch (const protocol::ServerError& error) {
      say_no_session(error.sqlstate());
    } catch (const std::exception& error) {
      say_no_session("");
    }
  }

  bool connected() const override { return connected_; }
  bool uses_tls() const override { return connection_.uses_tls(); }
  std::string parameter(const std::string& name) const override {
    const auto& parameters = connection_.server().parameters;
    const auto found = parameters.find(name);
    return found != parameters.end() ? found->second : "";
  }

  void simple(const std::string& sql, const CopyInput& input) override {
    Requests requests;
    ask(requests.query(sql), input);
  }
  void with_parameters(const std::string& sql, const Values& values, bool binary_result) override {
    Requests requests;
    append_extended(requests, sql, values, binary_result ? FormatCode::binary : FormatCode::text);
    ask(requests.sync());
  }
  void prepare(const std::string& statement, const std::string& sql) override {
    Requests requests;
    ask(requests.parse(statement, sql).sync());
  }
  void execute(const std::string& statement, const Values& values) override {
    Requests requests;
    requests.bind("", statement, text_parameters(values)).describe_portal("").execute("");
    ask(requests.sync());
  }
  void describe_statement(const std::string& statement) override {
    Requests requests;
    ask(requests.describe_statement(statement).sync());
  }
  void describe_portal(const std::string& portal) override {
    Requests requests;
    ask(requests.describe_portal(portal).sync());
  }
  void pipeline(const std::vector<std::string>& statements) override {
    Requests requests;
    for (const auto& sql : statements) {
      if (sql.empty()) {
        requests.sync();
      } else {
        append_extended(requests, sql, {}, FormatCode::text);
      }
    }
    ask(requests);
  }
  void call(std::uint32_t function_oid, const std::vector<int>& arguments) override {
    std::vector<std::string> bytes;
    for (const int argument : arguments) {
      bytes.push_back(big_endian(std::bit_cast<std::uint32_t>(argument)));
    }
    std::vector<BindParameter> parameters;
    for (const auto& value : bytes) {
      parameters.push_back({.value = value, .format = FormatCode::binary});
    }
    Requests requests;
    ask(requests.function_call(function_oid, parameters, FormatCode::binary));
  }
  void cancel(const std::string& sleeping,
              const std::function<void(int process_id)>& until_asleep) override {
    Requests requests;
    requests.query(sleeping);
    std::future<void> cancelled;
    run_with(io_, exchange(requests, {}), [&] {
      until_asleep(connection_.server().process_id);
      cancelled = asio::co_spawn(io_, connection_.cancel(), asio::use_future);
    });
    cancelled.get();
    take_notices();
  }
  void wait_notification() override {
    auto notifications = connection_.take_notifications();
    if (notifications.empty()) {
      run(io_, connection_.wait_notification());
      notifications = connection_.take_notifications();
    }
    for (const auto& one : notifications) {
      say(fmt::format("notification {} {} {}", one.channel, one.payload,
                      one.process_id == connection_.server().process_id ? "own" : "another's"));
    }
  }

 private:
  int protocol_version() const override {
    const auto version = connection_.server().protocol_version;
    return static_cast<int>((version >> 16) * 10000 + (version & 0xffff));
  }
  void ask(const Requests& requests, const CopyInput& input = {}) {
    try {
      run(io_, exchange(requests, input));
    } catch (const protocol::ServerError& error) {
      say_error(error.fields());
      connected_ = false;
      say_no_session("");
    }
    take_notices();
  }
  void take_notices() {
    for (const auto& notice : connection_.take_notices()) notices_.push_back(fields_of(notice));
  }

  asio::awaitable<void> exchange(const Requests& requests, const CopyInput& input) {
    connection_.send(requests);
    while (!connection_.dialogue().idle()) {
      const Reply reply = co_await connection_.next_reply();
      std::visit([&](const auto& one) { take(one); }, reply);
      if (std::holds_alternative<protocol::CopyInResponse>(reply)) give(input);
    }
  }

  void give(const CopyInput& input) {
    for (const auto& piece : input.pieces) connection_.send_copy_data(piece);
    if (input.failure) {
      connection_.send_copy_fail(*input.failure);
    } else {
      connection_.send_copy_done();
    }
  }

  void take(const protocol::RowDescription& description) {
    result_start_ = seen_.size();
    for (const auto& field : description.fields) {
      say(text_of(Column{.name = field.name,
                         .of_table = field.table_oid != 0,
                         .number = field.column_number,
                         .type_oid = field.type_oid,
                         .type_size = field.type_size,
                         .type_modifier = field.type_modifier,
                         .binary = field.format == FormatCode::binary}));
    }
  }
  void take(const protocol::DataRow& row) {
    for (const auto& value : row.values) say(text_of(value));
  }
  void take(const protocol::CommandComplete& complete) {
    say(std::string(complete.tag));
    result_start_.reset();
  }
  void take(const protocol::EmptyQueryResponse&) { say("empty"); }
  void take(const protocol::ParameterDescription& description) {
    for (const auto oid : description.type_oids) say(fmt::format("parameter of type {}", oid));
  }
  void take(const protocol::CopyInResponse& copy) { say_copy("in", copy); }
  void take(const protocol::CopyOutResponse& copy) { say_copy("out", copy); }
  void take(const protocol::CopyData& copy) { say("data " + std::string(copy.data)); }
  void take(const protocol::FunctionCallResponse& response) {
    std::string value = "NULL";
    if (response.value) {
      value = std::to_string(std::bit_cast<std::int32_t>(
          boost::endian::endian_load<std::uint32_t, 4, boost::endian::order::big>(
              reinterpret_cast<const unsigned char*>(response.value->data()))));
    }
    say("value " + value);
  }
  void take(const protocol::ErrorResponse& error) { say_error(error.fields); }
  void take(const protocol::ReadyForQuery& ready) {
    result_start_.reset();
    // libpq can't tell the status in the middle of a pipeline.
    say(connection_.dialogue().idle() ? std::string("ready ") + static_cast<char>(ready.status)
                                      : "sync");
  }
  // ParseComplete and others without fields.
  template <typename T>
  void take(const T&) {}

  void say_error(const protocol::ServerFields& fields) {
    if (result_start_) seen_.resize(*result_start_);
    result_start_.reset();
    say("error " + fields_of(fields));
  }
  void say_copy(std::string_view direction, const protocol::CopyResponse& copy) {
    say(fmt::format("copy {} {} columns {}", direction, copy.column_formats.size(),
                    copy.format == FormatCode::binary ? "binary" : "text"));
  }

  asio::io_context io_;
  Connection connection_{io_, 256 * 1024 * 1024};
  bool connected_ = false;
  std::optional<std::size_t> result_start_;  // in seen_, of a result that is not complete
};

}  // namespace

std::unique_ptr<Side> our_side(const std::string& connection) {
  return std::make_unique<OurSide>(connection);
}

}  // namespace pgcourier::replication::test
