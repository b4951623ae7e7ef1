// Transactions that the server tells before their end (§55.9, delivery.md 3 and 20): kept as they
// come, read again when they have committed.
#include "cdc/pipeline.hpp"

namespace pgcourier::cdc {

namespace {

// So much is replayed before others get their turn.
constexpr std::size_t replay_bytes = 256 * 1024;

// Those of a piece begin with the transaction's id, but for Origin.
constexpr std::string_view kept_types = "ORYIUDTM";

}  // namespace

void Pipeline::limit_streamed() const {
  if (streamed_.bookkeeping_bytes() > kept_limit_bytes_) throw TooManyOpenTransactions();
}

Consumed Pipeline::on(const protocol::StreamStart& start) {
  require_none(protocol::StreamStart::name);
  streamed_.start_piece(start.xid, start.first_segment);
  limit_streamed();
  relations_.begin_piece(streamed_.pieces());
  piece_xid_ = start.xid;
  return Consumed::done;
}

// Inside a piece, without decoding it. False: it is none of those that are kept, or is cut short.
bool Pipeline::keep_for_replay(const protocol::XLogData& data) {
  if (data.payload.empty() || kept_types.find(data.payload.front()) == std::string_view::npos) {
    return false;
  }
  std::uint32_t xid = piece_xid_;
  if (data.payload.front() != 'O' && !late_) {
    protocol::WireReader in(data.payload.substr(1));
    xid = in.u32();
    if (xid == 0) return false;
  }
  streamed_.add(xid, data.start, data.payload);
  limit_streamed();
  streamed_view_.memory_bytes = streamed_.memory_bytes();
  return true;
}

Consumed Pipeline::on(const protocol::StreamStop&) {
  streamed_.stop_piece();
  look_at_streamed();
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::StreamAbort& abort) {
  require_none(protocol::StreamAbort::name);
  if (!streamed_.abort(abort.xid, abort.subtransaction_xid)) throw AmbiguousAbort();
  look_at_streamed();
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::StreamCommit& commit) {
  require_none(protocol::StreamCommit::name);
  if (is_past_the_end(commit.commit_lsn)) return Consumed::past_the_end;
  prepares_ = false;
  begin_transaction({commit.commit_lsn, commit.commit_time, commit.xid, {}, {}});
  decoder_.enter_pieces();
  begin_replay(commit.xid, commit.end_lsn);
  return Consumed::must_replay;
}

void Pipeline::begin_replay(std::uint32_t xid, protocol::Lsn end_lsn) {
  replay_ = Replay{streamed_.take(xid), {}, false, end_lsn};
  look_at_streamed();
  relations_.begin_replay();
}

Consumed Pipeline::replay() {
  std::size_t replayed = 0;
  while (replayed < replay_bytes && in_flight_bytes_ < in_flight_limit_bytes_) {
    auto& message = replay_->message;
    if (!replay_->again) {
      if (replay_->transaction.at_spilled_extent()) return Consumed::must_replay;
      if (!replay_->transaction.next(message)) {
        decoder_.leave_pieces();
        relations_.end_replay();
        emit_replayed_outcomes();
        end_transaction(replay_->end_lsn);
        replay_.reset();
        return Consumed::done;
      }
    }
    relations_.replay_piece(message.piece);
    const Consumed consumed = take(message.lsn, message.payload);
    replay_->again = consumed == Consumed::needs_types;
    if (consumed != Consumed::done) return consumed;
    replayed += message.payload.size();
  }
  return Consumed::must_replay;
}

void Pipeline::look_at_streamed() {
  streamed_view_ = {streamed_.transactions(), streamed_.memory_bytes(), streamed_.spilled_bytes()};
}

}  // namespace pgcourier::cdc
