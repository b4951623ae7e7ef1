// From the walsender's messages to the sinks, and from the sinks back to one position.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "cdc/ack_tracker.hpp"
#include "cdc/change_event.hpp"
#include "cdc/encoder.hpp"
#include "cdc/relation_cache.hpp"
#include "cdc/session_limits.hpp"
#include "cdc/sink.hpp"
#include "cdc/transaction_buffer.hpp"
#include "protocol/pgoutput_decoder.hpp"
#include "protocol/replication_messages.hpp"

namespace pgcourier::cdc {

// What consume() left to do.
enum class Consumed : std::uint8_t {
  done,
  needs_catalog,  // answer question() with describe() before the next consume()
  needs_types,    // the same, and then consume() the same bytes again: nothing was taken
  past_the_end,   // the unit starts at or after `until`: it was not taken, nor will any be
  must_replay,    // a streamed transaction has ended: replay() before the next consume()
};

// Changes of one table since the session began, by Operation, filtered ones left out.
using OperationCounts = std::array<std::uint64_t, 5>;

// The data path of one replication session: decode, number, filter, encode once, hand to each sink
// that does not have it yet (delivery.md 5 and 8), count what is in flight (22). Pure: bytes and
// time come in, calls to sinks go out. Owned by the session, used from its io thread.
class Pipeline {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct SinkStart {
    Sink* sink = nullptr;  // started; outlives the pipeline
    Position position;     // what its bookmark covers: skipped
  };

  struct Settings {
    TableFilter filter;
    std::size_t in_flight_bytes = 0;
    std::size_t transaction_memory_bytes = 0;  // of open streamed transactions, all together
    std::size_t kept_bytes = most_kept_bytes;
    std::optional<protocol::Lsn> until;
    protocol::Lsn slot_at;  // its confirmed position when the session began
    protocol::PgoutputOptions stream;
  };

  Pipeline(std::vector<SinkStart> sinks, Encoder& encoder, SpillStore& spill_store,
           Settings settings);

  // Takes the payload of one CopyData; nothing of it is needed afterwards. Throws ProtocolError,
  // SinkError, and what session_limits.hpp has.
  Consumed consume(protocol::ByteView copy_data);

  // Goes on with the transaction that must_replay told of. Gives must_replay until all is handed
  // over, then done; needs_catalog and needs_types as consume(). Nothing while saturated().
  Consumed replay();
  bool replays() const { return replay_.has_value(); }
  // BLOCKING, where it says so, before the next replay(); nothing else but turn()'s functions
  // meanwhile.
  bool replay_waits_for_disk() {
    return replay_ && !replay_->again && replay_->transaction.at_spilled_extent();
  }
  void load_replay() { replay_->transaction.load_extent(); }

  // Open streamed transactions take more memory than they may: spill(), which is BLOCKING as
  // load_replay(), before the next consume(). Both throw SpillError.
  bool must_spill() const { return streamed_.over_limit(); }
  void spill() { streamed_.spill(); }
  // What streamed() tells, afterwards.
  void look_at_streamed();

  // After needs_catalog or needs_types. describe() gives the Relation that each sink must prepare()
  // for, or nullptr. Throws TooManyTables.
  const CatalogQuestion& question() const { return *question_; }
  const Relation* describe(const CatalogAnswer& answer);

  // Takes in what the sinks have delivered.
  void collect();

  // Asks the sinks to move their bookmarks: at once for what was delivered, every 10 s, or when
  // `force`d, for what was only quiet (delivery.md 8).
  void advance_bookmarks(Time now, bool force);

  // As cdc::Sink says, for all.
  void stop_lingering();
  void flush();

  // Above the limit of bytes in flight, until half of it is free: don't read the socket.
  bool saturated();

  // All before it is covered by the bookmark of every sink: the server may forget it.
  protocol::Lsn confirmable() const;

  // The highest position the server has told in this session.
  protocol::Lsn received() const { return received_; }

  // The server asked for an answer since the last call.
  bool take_reply_requested();

  // Every whole unit received is covered by every bookmark; an open one does not count.
  bool settled() const;

  // For the status page and metrics.
  struct SinkView {
    const Sink* sink = nullptr;
    Position durable;
    protocol::Lsn bookmarked;
    std::size_t in_flight_bytes = 0;
  };
  std::vector<SinkView> sinks() const;
  std::size_t in_flight_bytes() const { return in_flight_bytes_; }
  const RelationCache& relations() const { return relations_; }
  // By Relation::version; shorter than relations().all() where a table has had no change.
  const std::vector<OperationCounts>& counts() const { return counts_; }
  std::uint64_t logical_messages() const { return logical_messages_; }
  std::uint64_t transactions() const { return transactions_; }
  struct StreamedView {
    std::size_t transactions = 0;  // open ones
    std::size_t memory_bytes = 0;
    std::uint64_t spilled_bytes = 0;
  };
  const StreamedView& streamed() const { return streamed_view_; }
  // Commit time of the oldest transaction not covered by every bookmark, to about 100 ms; behind a
  // sink that stands still for long to a thousandth of that time.
  std::optional<protocol::PgTime> oldest_unconfirmed_commit() const;
  // How many commit times that takes: bounded.
  std::size_t remembered_commits() const { return unconfirmed_.size(); }

 private:
  struct SinkState {
    Sink* sink;
    AckTracker tracker;
    protocol::Lsn has_up_to;  // units before it are not given again
    Position requested;       // by advance()
    protocol::Lsn bookmarked;
    std::size_t in_flight_bytes;
    bool skips_unit;  // the open one
  };

  Consumed take(protocol::Lsn lsn, protocol::ByteView payload);
  // pipeline_changes.cpp: one function a message of §55.9.
  Consumed on(const protocol::Begin& begin);
  Consumed on(const protocol::Commit& commit);
  Consumed on(const protocol::Origin& origin);
  Consumed on(const protocol::RelationMessage& relation);
  Consumed on(const protocol::TypeMessage& type);
  Consumed on(const protocol::Insert& insert);
  Consumed on(const protocol::Update& update);
  Consumed on(const protocol::Delete& removal);
  Consumed on(const protocol::Truncate& truncate);
  Consumed on(const protocol::LogicalMessage& message);
  // pipeline_streams.cpp
  void limit_streamed() const;
  Consumed on(const protocol::StreamStart& start);
  Consumed on(const protocol::StreamStop& stop);
  Consumed on(const protocol::StreamAbort& abort);
  Consumed on(const protocol::StreamCommit& commit);
  // pipeline_prepared.cpp
  Consumed on(const protocol::BeginPrepare& begin);
  Consumed on(const protocol::Prepare& prepare);
  Consumed on(const protocol::StreamPrepare& prepare);
  Consumed on(const protocol::CommitPrepared& commit);
  Consumed on(const protocol::RollbackPrepared& rollback);

  bool keep_for_replay(const protocol::XLogData& data);
  void begin_transaction(const TransactionHeader& transaction);
  void begin_replay(std::uint32_t xid, protocol::Lsn end_lsn);
  void end_transaction(protocol::Lsn end_lsn);
  TransactionHeader prepared(protocol::Lsn lsn, protocol::PgTime time, std::uint32_t xid,
                             protocol::ByteView gid);
  void require_none(std::string_view message) const;
  void begin_late(const protocol::BeginPrepare& begin);
  Consumed replay_late(const protocol::CommitPrepared& commit);
  void emit_outcome(Operation operation, protocol::Lsn lsn);
  void emit_replayed_outcomes();

  void on_keepalive(const protocol::PrimaryKeepalive& keepalive);
  Consumed stand_alone(const protocol::LogicalMessage& message);
  bool lacks_types(const Relation& relation);
  void require_transaction(std::string_view message) const;
  void emit(ChangeEvent& event);
  void encode(const ChangeEvent& event);
  void hand_over_unencodable(const ChangeEvent& event, const char* problem);
  void expect(SinkState& state, const Written& written);
  void open_unit(protocol::Lsn lsn, bool done_at_equality);
  void close_unit(protocol::Lsn end_lsn);
  void sample_commit(protocol::Lsn end_lsn);
  void hand_over(std::optional<protocol::Lsn> end_lsn);
  void count(const ChangeEvent& event);
  bool is_past_the_end(protocol::Lsn lsn);

  protocol::PgoutputDecoder decoder_;
  RelationCache relations_;
  const CatalogQuestion* question_ = nullptr;
  Encoder& encoder_;
  std::vector<SinkState> sinks_;
  Progress progress_;

  std::size_t kept_limit_bytes_;
  std::size_t in_flight_limit_bytes_;
  std::size_t in_flight_bytes_ = 0;
  bool saturated_ = false;

  std::optional<protocol::Lsn> until_;
  protocol::Lsn slot_at_;
  protocol::Lsn received_;
  protocol::Lsn last_commit_lsn_;
  bool reply_requested_ = false;
  Time bookmarks_advanced_{};

  TransactionBuffer streamed_;
  std::uint32_t piece_xid_ = 0;
  StreamedView streamed_view_;  // for threads' sake: spill() and load_replay() run on another one
  struct Replay {
    StreamedTransaction transaction;
    StreamedMessage message;
    bool again = false;  // the message was not taken yet
    protocol::Lsn end_lsn;
  };
  std::optional<Replay> replay_;

  // The open transaction.
  bool in_transaction_ = false;
  bool header_given_ = false;  // encoder_.begin() was called for it
  bool holds_event_ = false;   // encoded and not yet finished: it may be the last one
  bool every_sink_skips_ = false;
  TransactionHeader transaction_;
  std::string origin_;
  std::string gid_;
  bool prepares_ = false;  // it ends with Prepare, not with Commit
  // Prepared before the slot decoded such: all of it comes right before its Commit Prepared, and is
  // kept until that tells the LSN by which it is done or not.
  struct LatePrepared {
    std::uint32_t xid = 0;
    protocol::Lsn prepare_lsn;
  };
  std::optional<LatePrepared> late_;
  TransactionNumber unit_ = 0;
  std::uint64_t seq_ = 0;
  protocol::Lsn change_lsn_;
  protocol::ByteView message_;  // the one that is taken just now

  std::vector<OperationCounts> counts_;
  std::uint64_t logical_messages_ = 0;
  std::uint64_t transactions_ = 0;

  struct CommitSample {
    protocol::Lsn end_lsn;
    protocol::PgTime commit_time;
  };
  std::deque<CommitSample> unconfirmed_;  // at least sample_microseconds_ apart, bounded
  std::int64_t sample_microseconds_ = 0;
};

}  // namespace pgcourier::cdc
