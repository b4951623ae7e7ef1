// Two-phase commit (§55.9, delivery.md 21): the changes at PREPARE TRANSACTION, before it is known
// whether they will stand, and what became of them as an event of its own.
#include "cdc/pipeline.hpp"

namespace pgcourier::cdc {

using protocol::Lsn;

TransactionHeader Pipeline::prepared(Lsn lsn, protocol::PgTime time, std::uint32_t xid,
                                     protocol::ByteView gid) {
  gid_ = gid;
  return {lsn, time, xid, {}, gid_};
}

void Pipeline::emit_outcome(Operation operation, Lsn lsn) {
  ChangeEvent event{.operation = operation, .relation = nullptr};
  change_lsn_ = lsn;
  emit(event);
}

Consumed Pipeline::on(const protocol::BeginPrepare& begin) {
  require_none(protocol::BeginPrepare::name);
  if (begin.prepare_lsn < slot_at_) {
    begin_late(begin);
    return Consumed::done;
  }
  if (is_past_the_end(begin.prepare_lsn)) return Consumed::past_the_end;
  prepares_ = true;
  begin_transaction(prepared(begin.prepare_lsn, begin.prepare_time, begin.xid, begin.gid));
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::Prepare& prepare) {
  const bool is_late = late_ && streamed_.in_piece();
  if (!is_late) require_transaction(protocol::Prepare::name);
  const Lsn announced = is_late ? late_->prepare_lsn : transaction_.commit_lsn;
  const bool is_wanted = is_late || prepares_;
  if (!is_wanted || prepare.prepare_lsn != announced || prepare.gid != gid_) {
    throw protocol::ProtocolError(protocol::Prepare::name,
                                  "it is not the one that Begin Prepare announced");
  }
  if (is_late) {
    streamed_.stop_piece();
    look_at_streamed();
    return Consumed::done;
  }
  emit_outcome(Operation::prepare, prepare.prepare_lsn);
  end_transaction(prepare.end_lsn);
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::StreamPrepare& prepare) {
  require_none(protocol::StreamPrepare::name);
  if (is_past_the_end(prepare.prepare_lsn)) return Consumed::past_the_end;
  prepares_ = true;
  begin_transaction(prepared(prepare.prepare_lsn, prepare.prepare_time, prepare.xid, prepare.gid));
  decoder_.enter_pieces();
  begin_replay(prepare.xid, prepare.end_lsn);
  return Consumed::must_replay;
}

// A slot's first transactions may have been prepared before it was ready, or before it had
// two_phase: PREPARE was not decoded, so the server sends the whole at COMMIT PREPARED. By its
// PREPARE every sink would have it already.
void Pipeline::begin_late(const protocol::BeginPrepare& begin) {
  late_ = LatePrepared{begin.xid, begin.prepare_lsn};
  gid_ = begin.gid;
  streamed_.start_piece(begin.xid, true);
  relations_.begin_piece(streamed_.pieces());
  piece_xid_ = begin.xid;
}

Consumed Pipeline::replay_late(const protocol::CommitPrepared& commit) {
  if (commit.xid != late_->xid) {
    throw protocol::ProtocolError(protocol::CommitPrepared::name,
                                  "it is not of the transaction just prepared");
  }
  if (is_past_the_end(commit.commit_lsn)) return Consumed::past_the_end;
  begin_transaction(prepared(commit.commit_lsn, commit.commit_time, commit.xid, commit.gid));
  begin_replay(commit.xid, commit.end_lsn);
  return Consumed::must_replay;
}

void Pipeline::emit_replayed_outcomes() {
  if (late_) {
    emit_outcome(Operation::prepare, late_->prepare_lsn);
    emit_outcome(Operation::commit_prepared, transaction_.commit_lsn);
    late_.reset();
  } else if (prepares_) {
    emit_outcome(Operation::prepare, transaction_.commit_lsn);
  }
}

Consumed Pipeline::on(const protocol::CommitPrepared& commit) {
  if (late_ && !streamed_.in_piece()) return replay_late(commit);
  require_none(protocol::CommitPrepared::name);
  if (is_past_the_end(commit.commit_lsn)) return Consumed::past_the_end;
  begin_transaction(prepared(commit.commit_lsn, commit.commit_time, commit.xid, commit.gid));
  emit_outcome(Operation::commit_prepared, commit.commit_lsn);
  end_transaction(commit.end_lsn);
  return Consumed::done;
}

// The server does not tell where its record starts, only where it ends. The byte before is inside
// the record as well: no position that we confirm lies there.
Consumed Pipeline::on(const protocol::RollbackPrepared& rollback) {
  require_none(protocol::RollbackPrepared::name);
  const Lsn inside{rollback.rollback_end_lsn.value - 1};
  if (is_past_the_end(inside)) return Consumed::past_the_end;
  begin_transaction(prepared(inside, rollback.rollback_time, rollback.xid, rollback.gid));
  emit_outcome(Operation::rollback_prepared, inside);
  end_transaction(rollback.rollback_end_lsn);
  return Consumed::done;
}

}  // namespace pgcourier::cdc
