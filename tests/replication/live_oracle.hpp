// libpq as the oracle: a scenario is played with libpq and with ours, from the same connection
// string; what was seen must be the same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgcourier::replication::test {

using Values = std::vector<std::optional<std::string>>;

// What is sent while the server takes copy data; with a reason, CopyFail ends it.
struct CopyInput {
  std::vector<std::string> pieces;
  std::optional<std::string> failure;
};

// A session, or why there is none. Each call sends, reads all of the answer, and keeps what came as
// lines of text. Partial rows before an error are left out: PQgetResult drops them.
class Side {
 public:
  virtual ~Side() = default;

  virtual bool connected() const = 0;
  virtual bool uses_tls() const = 0;
  virtual std::string parameter(const std::string& name) const = 0;
  virtual void simple(const std::string& sql, const CopyInput& input = {}) = 0;
  virtual void with_parameters(const std::string& sql, const Values& values,
                               bool binary_result = false) = 0;
  virtual void prepare(const std::string& statement, const std::string& sql) = 0;
  virtual void execute(const std::string& statement, const Values& values) = 0;
  virtual void describe_statement(const std::string& statement) = 0;
  virtual void describe_portal(const std::string& portal) = 0;
  // An empty one is a Sync.
  virtual void pipeline(const std::vector<std::string>& statements) = 0;
  // Integer arguments, binary result.
  virtual void call(std::uint32_t function_oid, const std::vector<int>& arguments) = 0;
  // `sleeping` is cancelled once `until_asleep` has returned.
  virtual void cancel(const std::string& sleeping,
                      const std::function<void(int process_id)>& until_asleep) = 0;
  virtual void wait_notification() = 0;
  // As PQfullProtocolVersion() gives it: 30002 for 3.2.
  void tell_protocol_version() { say("protocol " + std::to_string(protocol_version())); }

  const std::vector<std::string>& seen() const { return seen_; }
  // Their place among the replies depends on how these came through the network.
  const std::vector<std::string>& notices() const { return notices_; }

 protected:
  virtual int protocol_version() const = 0;
  void say(std::string line) { seen_.push_back(std::move(line)); }
  // The session that was asked for, or that was there, is none.
  void say_no_session(std::string_view sqlstate) { say("no session " + std::string(sqlstate)); }
  std::vector<std::string> seen_;
  std::vector<std::string> notices_;
};

// Of the library that is loaded, which need not be the one that was there when this was built.
int libpq_major();
std::unique_ptr<Side> libpq_side(const std::string& connection);
std::unique_ptr<Side> our_side(const std::string& connection);

// One column, as RowDescription gives it.
struct Column {
  std::string_view name;
  bool of_table = false;
  int number = 0;
  std::uint32_t type_oid = 0;
  int type_size = 0;
  int type_modifier = 0;
  bool binary = false;
};
std::string text_of(const Column& column);
std::string text_of(std::optional<std::string_view> value);
// In the order of §55.8: S V C M D H P p q W s t c d n F L R.
std::string text_of_fields(const std::vector<std::string>& fields);

}  // namespace pgcourier::replication::test
