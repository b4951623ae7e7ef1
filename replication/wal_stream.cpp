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
  Stream(Connection& connection, protocol::Lsn start, WalReceiver& receiver)
      : connection_(connection), receiver_(receiver), expected_(start) {}

  void take(protocol::ByteView data) {
    if (!connection_.dialogue().takes_copy_data()) return;  // we have ended it
    bool asked = false;
    if (!data.empty() && data.front() == protocol::primary_keepalive_type) {
      asked = protocol::read_primary_keepalive(data).reply_requested;
    } else {
      receive(protocol::read_xlog_data(data));
    }
    tell(asked);
    if (receiver_.enough()) connection_.send_copy_done();
  }

 private:
  void receive(const protocol::XLogData& wal) {
    if (wal.start != expected_) {
      throw protocol::ProtocolError("XLogData", "the WAL of " + to_string(expected_) +
                                                    " was due, not of " + to_string(wal.start));
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
  protocol::Lsn expected_;
  WalProgress told_;
};

}  // namespace

asio::awaitable<std::optional<protocol::TimelinePosition>> stream_wal(
    Connection& connection, const protocol::StartPhysicalReplication& options,
    WalReceiver& receiver) {
  protocol::Requests requests;
  requests.query(protocol::start_replication(options));
  co_await connection.finish();
  connection.send(requests);
  Stream stream(connection, options.start, receiver);
  std::optional<protocol::TimelinePosition> next;
  std::optional<protocol::ServerFields> error;
  while (!connection.dialogue().idle()) {
    protocol::Reply reply = co_await connection.next_reply();
    if (const auto* piece = std::get_if<protocol::CopyData>(&reply)) {
      stream.take(piece->data);
    } else if (std::holds_alternative<protocol::CopyDone>(reply)) {
      connection.send_copy_done();
    } else if (const auto* row = std::get_if<protocol::DataRow>(&reply)) {
      next = protocol::read_next_timeline(row->values);
    } else if (auto* refusal = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (!error) error = std::move(refusal->fields);
    } else if (!std::holds_alternative<protocol::CopyBothResponse>(reply) &&
               !std::holds_alternative<protocol::RowDescription>(reply) &&
               !std::holds_alternative<protocol::CommandComplete>(reply) &&
               !std::holds_alternative<protocol::ReadyForQuery>(reply)) {
      throw protocol::ProtocolError("START_REPLICATION", "answered by something else");
    }
  }
  if (error) throw protocol::ServerError(std::move(*error));
  co_return next;
}

}  // namespace pgcourier::replication
