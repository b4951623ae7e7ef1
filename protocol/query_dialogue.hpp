// What a server may say to what was asked, §55.2.2–55.2.6, without the socket.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "protocol/backend_messages.hpp"
#include "protocol/message_framer.hpp"
#include "protocol/query_messages.hpp"
#include "protocol/requests.hpp"

namespace pgcourier::protocol {

// The replies that have no reader of their own.
struct ParseComplete {};
struct BindComplete {};
struct CloseComplete {};
struct NoData {};              // Describe: it gives no rows
struct PortalSuspended {};     // Execute: more rows than asked for
struct EmptyQueryResponse {};  // instead of CommandComplete: the text was empty
struct DataRow {
  std::span<const std::optional<ByteView>> values;  // empty: NULL
};
struct CommandComplete {
  ByteView tag;
};
struct CopyInResponse : CopyResponse {};   // our turn: CopyData …, CopyDone or CopyFail
struct CopyOutResponse : CopyResponse {};  // CopyData …, CopyDone follow
struct CopyBothResponse : CopyResponse {};
struct CopyData {
  ByteView data;
};
struct CopyDone {};
// What was asked up to the next Sync is skipped, or the rest of a Query; ReadyForQuery follows.
struct ErrorResponse {
  ServerFields fields;
};

using Reply = std::variant<ParseComplete, BindComplete, CloseComplete, NoData, PortalSuspended,
                           EmptyQueryResponse, ParameterDescription, RowDescription, DataRow,
                           CommandComplete, CopyInResponse, CopyOutResponse, CopyBothResponse,
                           CopyData, CopyDone, FunctionCallResponse, ErrorResponse, ReadyForQuery>;

// Whether the server ends the connection with this error.
bool is_fatal(const ServerFields& error);

// Keeps what was asked and not yet answered, so any number of requests may be under way. Every
// reply is checked against the oldest of them. ErrorResponse is a value here: what was asked
// before it was done, what comes after is skipped by the server and forgotten here.
class QueryDialogue {
 public:
  // These were sent. Throws std::logic_error before the end of a copy that is ours to end: the
  // server would take them for a violation, and ignore a Sync.
  void asked(std::span<const Request> requests);

  // Any message but NoticeResponse, ParameterStatus and NotificationResponse. Views in the reply
  // are into `message`, and those of a DataRow live until the next call. Throws ProtocolError for a
  // message that answers nothing that was asked.
  Reply on_message(const FramedMessage& message);

  // Everything asked is answered.
  bool idle() const { return pending_.empty(); }
  // ReadyForQuery will not come before a Sync is asked for.
  bool needs_sync() const { return needs_sync_; }
  // The server takes CopyData: after CopyInResponse or CopyBothResponse, until we or it end that.
  bool takes_copy_data() const;
  // CopyDone (or CopyFail, not in CopyBoth) is due from us sooner or later.
  bool owes_copy_end() const;
  // It was sent.
  void copy_ended() { copy_end_sent_ = true; }
  // Between CopyBothResponse and the server's end of it.
  bool in_copy_both() const { return phase_ == Phase::copy_both; }
  bool in_copy_in() const { return phase_ == Phase::copy_in; }
  // As the last ReadyForQuery told.
  TransactionStatus transaction_status() const { return status_; }

 private:
  // How far the answer to the oldest request has come.
  enum class Phase : std::uint8_t {
    start,            // nothing yet; for a Query, or between its statements
    described,        // Describe of a statement: ParameterDescription
    rows,             // of a Query: CommandComplete is due
    answered,         // function call: ReadyForQuery is due
    failed,           // likewise, after an error
    copy_in,          // CommandComplete after our end, or ErrorResponse
    copy_out,         // CopyData, CopyDone
    copied_out,       // CommandComplete; or the next copy or result, of BASE_BACKUP
    copy_both,        // CopyData
    after_copy_both,  // what the server was at, a result, CommandComplete, ReadyForQuery
  };

  bool awaits(Request request) const { return !pending_.empty() && pending_.front() == request; }
  bool awaits_query(Phase phase) const { return awaits(Request::query) && phase_ == phase; }
  void answered();
  Reply on_error(const FramedMessage& message);
  Reply on_ready(const FramedMessage& message);
  Reply on_completion(const FramedMessage& message);
  Reply on_copy_start(const FramedMessage& message);
  Reply on_description(const FramedMessage& message);
  [[noreturn]] void refuse(const FramedMessage& message) const;

  std::deque<Request> pending_;
  Phase phase_ = Phase::start;
  bool needs_sync_ = false;
  bool skipping_ = false;  // an error came, and the Sync that ends its reign is not asked for yet
  bool copy_end_sent_ = false;
  bool copy_both_completed_ = false;  // CommandComplete came, which ReadyForQuery follows
  TransactionStatus status_ = TransactionStatus::idle;
  std::vector<std::optional<ByteView>> values_;
};

}  // namespace pgcourier::protocol
