// Tests on the server of each major; a session with it, and what it answered.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tests/replication/live_support.hpp"

namespace pgcourier::replication::test {

// One letter a reply, as the manual's message types; the rows' values as they are.
struct Seen {
  std::string replies;
  std::vector<std::string> values;
  std::vector<std::string> errors;
  std::vector<std::uint32_t> parameter_types;

  void take(const protocol::Reply& reply) {
    constexpr std::string_view letters = "123nsItTDCGHWdcVEZ";
    replies += letters.at(reply.index());
    if (const auto* row = std::get_if<protocol::DataRow>(&reply)) {
      for (const auto& value : row->values) values.emplace_back(value.value_or("NULL"));
    } else if (const auto* error = std::get_if<protocol::ErrorResponse>(&reply)) {
      errors.push_back(error->fields.sqlstate);
    } else if (const auto* types = std::get_if<protocol::ParameterDescription>(&reply)) {
      parameter_types.insert(parameter_types.end(), types->type_oids.begin(),
                             types->type_oids.end());
    } else if (const auto* result = std::get_if<protocol::FunctionCallResponse>(&reply)) {
      values.emplace_back(result->value.value_or("NULL"));
    }
  }
};

// Sends, and reads until all is answered.
inline asio::awaitable<void> exchange(Connection& connection, const protocol::Requests& requests,
                                      Seen& seen) {
  connection.send(requests);
  while (!connection.dialogue().idle()) {
    const protocol::Reply reply = co_await connection.next_reply();
    seen.take(reply);
  }
}

// Once for the server of each major.
class OnEachMajor : public LiveTest, public testing::WithParamInterface<int> {
 public:
  static auto each() { return testing::ValuesIn(majors); }
  static std::string name(const testing::TestParamInfo<int>& major) {
    return "on" + std::to_string(major.param);
  }

 protected:
  static int major() { return GetParam(); }
  static config::Host host(const std::string& name = "127.0.0.1") { return host_of(major(), name); }
  static config::ConnectionTarget target(const std::string& user = "postgres") {
    return target_of(major(), user);
  }
};

class LiveMajor : public OnEachMajor {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    if (!IsSkipped()) session_.emplace(target());
  }
  Connection& connection() { return session_->connection; }
  Seen seen(const protocol::Requests& requests) {
    Seen seen;
    run(session_->io, exchange(connection(), requests, seen));
    return seen;
  }
  QueryResults all(std::string_view sql) { return run(session_->io, connection().query_all(sql)); }
  std::optional<Session> session_;
};

}  // namespace pgcourier::replication::test
