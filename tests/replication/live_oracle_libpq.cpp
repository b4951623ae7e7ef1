#include <dlfcn.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <regex>
#include <stdexcept>

#include "tests/replication/live_oracle.hpp"

namespace pgcourier::replication::test {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string fields_of(const PGresult* result) {
  constexpr std::string_view codes = "SVCMDHPpqWstcdnFLR";
  std::vector<std::string> fields;
  for (const char code : codes) {
    const char* field = PQresultErrorField(result, code);
    fields.emplace_back(field != nullptr ? field : "");
  }
  return text_of_fields(fields);
}

// Pointers for libpq, into `values`.
std::vector<const char*> pointers(const Values& values) {
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value ? value->c_str() : nullptr);
  return pointers;
}

class LibpqSide : public Side {
 public:
  explicit LibpqSide(const std::string& connection)
      : connection_(PQconnectStart(connection.c_str()), &PQfinish) {
    PQsetErrorVerbosity(get(), PQERRORS_SQLSTATE);
    PQsetNoticeReceiver(
        get(),
        [](void* side, const PGresult* notice) {
          static_cast<LibpqSide*>(side)->notices_.push_back(fields_of(notice));
        },
        this);
    auto state = connected_or_under_way() ? PGRES_POLLING_WRITING : PGRES_POLLING_FAILED;
    while (state == PGRES_POLLING_WRITING || state == PGRES_POLLING_READING) {
      wait_for(state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN);
      state = PQconnectPoll(get());
    }
    if (!connected()) say_no_session(last_sqlstate());
  }

  bool connected() const override { return PQstatus(get()) == CONNECTION_OK; }
  bool uses_tls() const override { return PQsslInUse(get()) != 0; }
  std::string parameter(const std::string& name) const override {
    const char* value = PQparameterStatus(get(), name.c_str());
    return value != nullptr ? value : "";
  }

  void simple(const std::string& sql, const CopyInput& input) override {
    PQsendQuery(get(), sql.c_str());
    read(input);
  }
  void with_parameters(const std::string& sql, const Values& values, bool binary_result) override {
    send(sql, values, binary_result);
    read();
  }
  void prepare(const std::string& statement, const std::string& sql) override {
    PQsendPrepare(get(), statement.c_str(), sql.c_str(), 0, nullptr);
    read();
  }
  void execute(const std::string& statement, const Values& values) override {
    PQsendQueryPrepared(get(), statement.c_str(), static_cast<int>(values.size()),
                        pointers(values).data(), nullptr, nullptr, 0);
    read();
  }
  void describe_statement(const std::string& statement) override {
    PQsendDescribePrepared(get(), statement.c_str());
    read();
  }
  void describe_portal(const std::string& portal) override {
    PQsendDescribePortal(get(), portal.c_str());
    read();
  }

  void pipeline(const std::vector<std::string>& statements) override {
    PQenterPipelineMode(get());
    std::size_t syncs = 0;
    for (const auto& sql : statements) {
      if (sql.empty()) {
        ++syncs;
        PQpipelineSync(get());
      } else {
        send(sql, {}, false);
      }
    }
    while (syncs > 0) {
      const Result result(PQgetResult(get()), &PQclear);
      if (result == nullptr) continue;  // the end of one statement's results
      if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) {
        if (--syncs > 0) say("sync");
      } else {
        say_result(result.get());
      }
    }
    PQexitPipelineMode(get());
    say_status();
  }

  void call(std::uint32_t function_oid, const std::vector<int>& arguments) override {
    std::vector<PQArgBlock> blocks;
    for (const int argument : arguments) {
      PQArgBlock block{};
      block.len = sizeof(argument);
      block.isint = 1;
      block.u.integer = argument;
      blocks.push_back(block);
    }
    int value = 0;
    int size = 0;
    const Result result(PQfn(get(), static_cast<int>(function_oid), &value, &size, 1, blocks.data(),
                             static_cast<int>(blocks.size())),
                        &PQclear);
    if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
      say("value " + (size < 0 ? "NULL" : std::to_string(value)));
    } else {
      say_result(result.get());
    }
    say_status();
  }

  void cancel(const std::string& sleeping,
              const std::function<void(int process_id)>& until_asleep) override {
    PQsendQuery(get(), sleeping.c_str());
    until_asleep(PQbackendPID(get()));
    const std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancel(PQgetCancel(get()),
                                                                    &PQfreeCancel);
    char error[256] = {};
    if (PQcancel(cancel.get(), error, sizeof(error)) == 0) throw std::runtime_error(error);
    read();
  }

  void wait_notification() override {
    using Notify = std::unique_ptr<PGnotify, decltype(&PQfreemem)>;
    Notify notify(PQnotifies(get()), &PQfreemem);
    while (notify == nullptr) {
      wait_for(POLLIN);
      if (PQconsumeInput(get()) == 0) throw std::runtime_error(PQerrorMessage(get()));
      notify.reset(PQnotifies(get()));
    }
    say(fmt::format("notification {} {} {}", notify->relname, notify->extra,
                    notify->be_pid == PQbackendPID(get()) ? "own" : "another's"));
  }

 private:
  // A function since libpq 18, which the headers of an older one don't have.
  int protocol_version() const override {
    using FullProtocolVersion = int (*)(const PGconn*);
    const auto full =
        reinterpret_cast<FullProtocolVersion>(::dlsym(RTLD_DEFAULT, "PQfullProtocolVersion"));
    return full != nullptr ? full(get()) : PQprotocolVersion(get()) * 10000;
  }
  PGconn* get() const { return connection_.get(); }
  bool connected_or_under_way() const { return PQstatus(get()) != CONNECTION_BAD; }

  void wait_for(short events) const {
    pollfd socket{.fd = PQsocket(get()), .events = events, .revents = 0};
    if (::poll(&socket, 1, 20'000) != 1) throw std::runtime_error("libpq: nothing for 20 s");
  }

  // Of all the attempts; libpq has no other way to ask before there is a session.
  std::string last_sqlstate() const {
    const std::string message = PQerrorMessage(get());
    const std::regex refusal("FATAL:  ([0-9A-Z]{5})\n");
    std::string sqlstate;
    for (std::sregex_iterator it(message.begin(), message.end(), refusal), end; it != end; ++it) {
      sqlstate = (*it)[1];
    }
    return sqlstate;
  }

  void send(const std::string& sql, const Values& values, bool binary_result) {
    PQsendQueryParams(get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                      pointers(values).data(), nullptr, nullptr, binary_result ? 1 : 0);
  }

  void read(const CopyInput& input = {}) {
    for (;;) {
      const Result result(PQgetResult(get()), &PQclear);
      if (result == nullptr) break;
      say_result(result.get());
      if (PQresultStatus(result.get()) == PGRES_COPY_IN) give(input);
      if (PQresultStatus(result.get()) == PGRES_COPY_OUT) take();
    }
    if (connected()) say_status();
  }

  void give(const CopyInput& input) {
    for (const auto& piece : input.pieces) {
      PQputCopyData(get(), piece.data(), static_cast<int>(piece.size()));
    }
    PQputCopyEnd(get(), input.failure ? input.failure->c_str() : nullptr);
  }

  void take() {
    char* row = nullptr;
    for (int size = 0; (size = PQgetCopyData(get(), &row, 0)) > 0; PQfreemem(row)) {
      say("data " + std::string(row, static_cast<std::size_t>(size)));
    }
  }

  void say_status() {
    constexpr std::string_view letters = "IATE";  // PQTRANS_IDLE, ACTIVE, INTRANS, INERROR
    say(std::string("ready ") + letters.at(PQtransactionStatus(get())));
  }

  void say_result(const PGresult* result) {
    switch (PQresultStatus(result)) {
      case PGRES_EMPTY_QUERY:
        return say("empty");
      case PGRES_PIPELINE_ABORTED:  // made by libpq of what the server skips
        return;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
        return say(fmt::format("copy {} {} columns {}",
                               PQresultStatus(result) == PGRES_COPY_IN ? "in" : "out",
                               PQnfields(result), PQbinaryTuples(result) != 0 ? "binary" : "text"));
      case PGRES_FATAL_ERROR:
        if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr) return say_no_session("");
        return say("error " + fields_of(result));
      default:
        return say_rows(result);
    }
  }

  void say_rows(const PGresult* result) {
    for (int i = 0; i < PQnparams(result); ++i) {
      say(fmt::format("parameter of type {}", PQparamtype(result, i)));
    }
    for (int i = 0; i < PQnfields(result); ++i) {
      say(text_of(Column{.name = PQfname(result, i),
                         .of_table = PQftable(result, i) != InvalidOid,
                         .number = PQftablecol(result, i),
                         .type_oid = PQftype(result, i),
                         .type_size = PQfsize(result, i),
                         .type_modifier = PQfmod(result, i),
                         .binary = PQfformat(result, i) != 0}));
    }
    for (int row = 0; row < PQntuples(result); ++row) {
      for (int i = 0; i < PQnfields(result); ++i) {
        std::optional<std::string_view> value;
        if (PQgetisnull(result, row, i) == 0) {
          value.emplace(PQgetvalue(result, row, i),
                        static_cast<std::size_t>(PQgetlength(result, row, i)));
        }
        say(text_of(value));
      }
    }
    const std::string tag = PQcmdStatus(const_cast<PGresult*>(result));
    if (!tag.empty()) say(tag);
  }

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace

int libpq_major() { return PQlibVersion() / 10000; }

std::unique_ptr<Side> libpq_side(const std::string& connection) {
  return std::make_unique<LibpqSide>(connection);
}

}  // namespace pgcourier::replication::test
