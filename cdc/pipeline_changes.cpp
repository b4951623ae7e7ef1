// The changes, message by message: from pgoutput's words to numbered events (§55.9, delivery.md 5).
#include <algorithm>

#include "cdc/encoding_error.hpp"
#include "cdc/heartbeat.hpp"
#include "cdc/pipeline.hpp"

namespace pgcourier::cdc {

using protocol::Lsn;
using protocol::ValueKind;

namespace {

// Did the update move the row to another key? An unchanged TOAST value is equal by its nature, and
// an old row that is sent for a detoasted key only is no change.
bool moves_key(const Relation& relation, protocol::Row before, protocol::Row after) {
  return std::any_of(relation.key.begin(), relation.key.end(), [&](std::uint16_t column) {
    const auto& old_value = before[column];
    const auto& new_value = after[column];
    if (new_value.kind == ValueKind::unchanged_toast) return false;
    return old_value.kind != new_value.kind || old_value.bytes != new_value.bytes;
  });
}

void check_width(const Relation& relation, protocol::Row row) {
  if (row.size() == relation.columns.size()) return;
  throw protocol::ProtocolError(
      relation.schema + "." + relation.table,
      "a row has " + std::to_string(row.size()) + " values where its Relation has " +
          std::to_string(relation.columns.size()) +
          " columns; servers 15.0 and 15.1 do this with column lists, 15.2 does not");
}

}  // namespace

bool Pipeline::is_past_the_end(Lsn lsn) {
  if (!until_ || lsn < *until_) return false;
  // Units come in the order of their LSNs: all before `until` is here.
  received_ = std::max(received_, *until_);
  for (auto& state : sinks_) state.tracker.sent_up_to(*until_);
  return true;
}

Consumed Pipeline::on(const protocol::Begin& begin) {
  require_none(protocol::Begin::name);
  if (is_past_the_end(begin.final_lsn)) return Consumed::past_the_end;
  prepares_ = false;
  begin_transaction({begin.final_lsn, begin.commit_time, begin.xid, {}, {}});
  return Consumed::done;
}

void Pipeline::require_none(std::string_view message) const {
  if (in_transaction_ || late_) {
    throw protocol::ProtocolError(message, "the transaction before has not ended");
  }
}

void Pipeline::begin_transaction(const TransactionHeader& transaction) {
  // Commits come in the order of the WAL: one that comes again would be delivered again.
  if (transaction.commit_lsn <= last_commit_lsn_) {
    throw protocol::ProtocolError("Begin", "its commit is not after that of the one before");
  }
  last_commit_lsn_ = transaction.commit_lsn;
  in_transaction_ = true;
  header_given_ = false;
  origin_.clear();
  transaction_ = transaction;
  seq_ = 0;
  open_unit(transaction.commit_lsn, false);
}

Consumed Pipeline::on(const protocol::Origin& origin) {
  require_transaction(protocol::Origin::name);
  origin_ = origin.origin_name;
  transaction_.origin = origin_;
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::Commit& commit) {
  require_transaction(protocol::Commit::name);
  if (prepares_ || commit.commit_lsn != transaction_.commit_lsn) {
    throw protocol::ProtocolError("Commit", "it is not the one that Begin announced");
  }
  end_transaction(commit.end_lsn);
  return Consumed::done;
}

void Pipeline::end_transaction(Lsn end_lsn) {
  hand_over(end_lsn);
  close_unit(end_lsn);
  in_transaction_ = false;
  ++transactions_;
}

Consumed Pipeline::on(const protocol::RelationMessage& relation) {
  question_ = relations_.receive(relation, change_lsn_);
  return question_ ? Consumed::needs_catalog : Consumed::done;
}

// The catalog tells more, when a Relation uses the type (column_type.hpp).
Consumed Pipeline::on(const protocol::TypeMessage&) { return Consumed::done; }

Consumed Pipeline::on(const protocol::Insert& insert) {
  require_transaction(protocol::Insert::name);
  const Relation& relation = relations_.find(insert.relation_oid);
  if (lacks_types(relation)) return Consumed::needs_types;
  ChangeEvent event{.operation = Operation::insert, .relation = &relation};
  event.after = insert.new_row;
  check_width(*event.relation, event.after);
  emit(event);
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::Update& update) {
  require_transaction(protocol::Update::name);
  const Relation& relation = relations_.find(update.relation_oid);
  if (lacks_types(relation)) return Consumed::needs_types;
  ChangeEvent event{.operation = Operation::update, .relation = &relation};
  event.after = update.new_row;
  event.before = update.old_row;
  event.before_is_key_only = update.old_row_is_key_only;
  check_width(*event.relation, event.after);
  if (!event.before.empty()) {
    check_width(*event.relation, event.before);
    event.key_changed = moves_key(*event.relation, event.before, event.after);
  }
  emit(event);
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::Delete& removal) {
  require_transaction(protocol::Delete::name);
  const Relation& relation = relations_.find(removal.relation_oid);
  if (lacks_types(relation)) return Consumed::needs_types;
  ChangeEvent event{.operation = Operation::delete_, .relation = &relation};
  event.before = removal.old_row;
  event.before_is_key_only = removal.old_row_is_key_only;
  check_width(*event.relation, event.before);
  emit(event);
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::Truncate& truncate) {
  require_transaction(protocol::Truncate::name);
  for (const auto oid : truncate.relation_oids) {
    ChangeEvent event{.operation = Operation::truncate, .relation = &relations_.find(oid)};
    event.cascade = truncate.cascade;
    event.restart_identity = truncate.restart_identity;
    emit(event);
  }
  return Consumed::done;
}

Consumed Pipeline::on(const protocol::LogicalMessage& message) {
  if (!message.transactional) return stand_alone(message);
  require_transaction(protocol::LogicalMessage::name);
  if (message.prefix == heartbeat_prefix) {
    reply_requested_ = true;  // what was only quiet is to be confirmed now
    return Consumed::done;
  }
  ChangeEvent event{.operation = Operation::message, .relation = nullptr};
  event.prefix = message.prefix;
  event.content = message.content;
  change_lsn_ = message.lsn;
  emit(event);
  return Consumed::done;
}

// A unit of its own, with its own LSN, which is where its record ends: done if that LSN is not
// after the position (delivery.md 5).
Consumed Pipeline::stand_alone(const protocol::LogicalMessage& message) {
  if (in_transaction_) {
    throw protocol::ProtocolError("Message", "a non-transactional one came inside a transaction");
  }
  // Its LSN is its end: one that ends at `until` is still before it.
  if (is_past_the_end(Lsn{message.lsn.value - 1})) return Consumed::past_the_end;
  open_unit(message.lsn, true);
  if (!every_sink_skips_) {
    ChangeEvent event{.operation = Operation::message, .relation = nullptr};
    event.lsn = message.lsn;
    event.transactional = false;
    event.prefix = message.prefix;
    event.content = message.content;
    encode(event);
    hand_over(std::nullopt);
  }
  close_unit(message.lsn);
  return Consumed::done;
}

bool Pipeline::lacks_types(const Relation& relation) {
  if (relation.composites.empty() || relation.filtered_out || every_sink_skips_) return false;
  question_ = relations_.check(relation, change_lsn_);
  return question_ != nullptr;
}

void Pipeline::require_transaction(std::string_view message) const {
  if (!in_transaction_) throw protocol::ProtocolError(message, "it came outside a transaction");
}

// Numbers the event, and holds it back encoded until the next one or Commit shows whether it is the
// transaction's last.
void Pipeline::emit(ChangeEvent& event) {
  event.seq = seq_++;
  event.lsn = change_lsn_;
  if (every_sink_skips_ || (event.relation && event.relation->filtered_out)) return;
  hand_over(std::nullopt);
  if (!header_given_) {
    encoder_.begin(transaction_);
    header_given_ = true;
  }
  event.composites_are_text =
      event.relation && event.relation->composites_altered_by != 0 &&
      !xid_precedes(event.relation->composites_altered_by, transaction_.xid);
  encode(event);
}

void Pipeline::encode(const ChangeEvent& event) {
  try {
    encoder_.encode(event);
    holds_event_ = true;
  } catch (const EncodingError& error) {
    hand_over_unencodable(event, error.what());
  }
  count(event);
}

void Pipeline::count(const ChangeEvent& event) {
  if (is_outcome(event.operation)) return;
  if (!event.relation) {
    ++logical_messages_;
    return;
  }
  if (event.relation->version >= counts_.size()) counts_.resize(event.relation->version + 1);
  ++counts_[event.relation->version][static_cast<std::size_t>(event.operation)];
}

}  // namespace pgcourier::cdc
