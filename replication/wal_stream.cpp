#include "replication/wal_stream.hpp"

#include <chrono>
#include <utility>
#include <variant>

#include "protocol/protocol_error.hpp"
#include "protocol/server_error.hpp"

namespace pgcourier::replication {
namespace {

protocol::PgTime time_now() {
  using std::chrono::microseconds;
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return protocol::from_unix_microseconds(
      std::chrono::duration_cast<microseconds>(since_1970).count());
}

// What passes between the CopyData messages of one stream and its receiver.
class Stream {
 public:
  Stream(Connection& connection, const protocol::StartPhysicalReplication& options,
         WalReceiver& receiver)
      : connection_(connection),
        receiver_(receiver),
        timeline_(options.timeline),
        expected_(options.start) {}

  void begin() {
    if (std::exchange(begun_, true)) fail("CopyBothResponse came twice");
  }
  // The result that tells of the next timeline comes when all of this one was sent, or instead.
  void switch_to(const protocol::TimelinePosition& next) {
    if (next_) fail("more than one next timeline");
    if (next.timeline <= timeline_) fail("the next timeline is not after this one");
    if (begun_ && !ended_by_us_ && next.lsn != expected_) {
      fail("the WAL of " + to_string(expected_) + " is due, but the next timeline begins at " +
           to_string(next.lsn));
    }
    next_ = next;
  }
  std::optional<protocol::TimelinePosition> end() const {
    if (!begun_ && !next_) fail("neither WAL nor a next timeline came");
    if (begun_ && !next_ && !ended_by_us_) fail("it ended before its timeline did");
    return next_;
  }

  void take(protocol::ByteView data) {
    if (!connection_.dialogue().takes_copy_data()) return;  // we have ended it
    bool asked = false;
    if (!data.empty() && data.front() == protocol::primary_keepalive_type) {
      asked = protocol::read_primary_keepalive(data).reply_requested;
    } else {
      receive(protocol::read_xlog_data(data));
    }
    tell(asked);
    if (receiver_.enough()) {
      connection_.send_copy_done();
      ended_by_us_ = true;
    }
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    throw protocol::ProtocolError("START_REPLICATION", what);
  }
  void receive(const protocol::XLogData& wal) {
    if (wal.start != expected_) {
      fail("the WAL of " + to_string(expected_) + " was due, not of " + to_string(wal.start));
    }
    expected_.value += wal.payload.size();
    receiver_.receive(wal);
  }
  void tell(bool asked) {
    const WalProgress progress = receiver_.progress();
    if (progress == std::exchange(told_, progress) && !asked) return;
    const protocol::PgTime now = time_now();
    connection_.send_copy_data(protocol::standby_status_update({.write = progress.write,
                                                                .flush = progress.flush,
                                                                .apply = progress.apply,
                                                                .client_time = now}));
    if (auto feedback = receiver_.feedback()) {
      feedback->client_time = now;
      connection_.send_copy_data(protocol::hot_standby_feedback(*feedback));
    }
  }

  Connection& connection_;
  WalReceiver& receiver_;
  std::uint32_t timeline_;  // 0: the server's current one
  protocol::Lsn expected_;
  WalProgress told_;
  bool begun_ = false;
  bool ended_by_us_ = false;
  std::optional<protocol::TimelinePosition> next_;
};

}  // namespace

asio::awaitable<std::optional<protocol::TimelinePosition>> stream_wal(
    Connection& connection, const protocol::StartPhysicalReplication& options,
    WalReceiver& receiver) {
  protocol::Requests requests;
  requests.query(protocol::start_replication(options));
  co_await connection.finish();
  connection.send(requests);
  Stream stream(connection, options, receiver);
  std::optional<protocol::ServerFields> error;
  while (!connection.dialogue().idle()) {
    protocol::Reply reply = co_await connection.next_reply();
    if (const auto* piece = std::get_if<protocol::CopyData>(&reply)) {
      stream.take(piece->data);
    } else if (std::holds_alternative<protocol::CopyDone>(reply)) {
      connection.send_copy_done();
    } else if (const auto* row = std::get_if<protocol::DataRow>(&reply)) {
      stream.switch_to(protocol::read_next_timeline(row->values));
    } else if (auto* refusal = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (!error) error = std::move(refusal->fields);
    } else if (std::holds_alternative<protocol::CopyBothResponse>(reply)) {
      stream.begin();
    } else if (!std::holds_alternative<protocol::RowDescription>(reply) &&
               !std::holds_alternative<protocol::CommandComplete>(reply) &&
               !std::holds_alternative<protocol::ReadyForQuery>(reply)) {
      throw protocol::ProtocolError("START_REPLICATION", "answered by something else");
    }
  }
  if (error) throw protocol::ServerError(std::move(*error));
  co_return stream.end();
}

}  // namespace pgcourier::replication
