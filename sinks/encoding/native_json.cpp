// Members are appended in contract.md's order.
#include "sinks/encoding/native_json.hpp"

#include <utility>

#include "cdc/encoding_error.hpp"
#include "sinks/encoding/json_text.hpp"

namespace pgcourier::sinks::encoding {
namespace {

using cdc::ChangeEvent;
using cdc::Operation;
using cdc::Relation;
using cdc::Routing;
using protocol::ColumnValue;
using protocol::ValueKind;

void append_flag(TextBuffer& out, std::string_view member, bool value) {
  out += member;
  out += value ? "true" : "false";
}

void check_width(const Relation& relation, protocol::Row row) {
  if (row.size() == relation.columns.size()) return;
  throw cdc::EncodingError(
      relation, "the row has " + std::to_string(row.size()) + " columns, its relation " +
                    std::to_string(relation.columns.size()) +
                    ": PostgreSQL 15.0 and 15.1 send the wrong tuple width with column lists;"
                    " update the server or take the column list off the publication");
}

}  // namespace

inline const ColumnValue* NativeJson::Rows::before(std::size_t column) const {
  if (event.before.empty()) return nullptr;
  if (event.before_is_key_only && !relation.columns[column].in_replica_identity) return nullptr;
  const ColumnValue& value = event.before[column];
  return value.kind == ValueKind::unchanged_toast ? nullptr : &value;
}

inline const ColumnValue* NativeJson::Rows::after(std::size_t column) const {
  const ColumnValue& value = event.after[column];
  return value.kind == ValueKind::unchanged_toast ? before(column) : &value;
}

void NativeJson::begin(const cdc::TransactionHeader& transaction) {
  transaction_lsn_ = transaction.commit_lsn;
  commit_time_ = transaction.commit_time;
  commit_lsn_ = ",\"commit_lsn\":\"";
  append_lsn(commit_lsn_, transaction.commit_lsn);
  commit_lsn_ += '"';
  tail_ = ",\"xid\":";
  append_number(tail_, transaction.xid);
  tail_ += ",\"commit_ts\":";
  append_json_string(tail_, to_iso8601(transaction.commit_time));
  if (!transaction.origin.empty()) {
    tail_ += ",\"origin\":";
    append_json_string(tail_, transaction.origin);
  }
  gid_ = transaction.gid;
  if (!gid_.empty()) {
    tail_ += ",\"gid\":";
    append_json_string(tail_, gid_);
  }
  tail_ += '}';
}

void NativeJson::encode(const ChangeEvent& event) {
  in_transaction_ = event.operation != Operation::message || event.transactional;
  encoded_.record.relation = event.relation;
  encoded_.key_changed = false;
  switch (event.operation) {
    case Operation::insert:
    case Operation::update:
    case Operation::delete_:
      return encode_row_change(event);
    case Operation::truncate:
      return encode_truncate(event);
    case Operation::message:
      return encode_message(event);
    case Operation::prepare:
      return encode_outcome("prepare", event);
    case Operation::commit_prepared:
      return encode_outcome("commit_prepared", event);
    case Operation::rollback_prepared:
      return encode_outcome("rollback_prepared", event);
  }
}

const cdc::EncodedEvent& NativeJson::finish(std::optional<protocol::Lsn> end_lsn) {
  close(record_, end_lsn, encoded_.record);
  if (encoded_.record.routing == Routing::logical_message) encoded_.record.key = prefix_;
  if (encoded_.record.routing == Routing::outcome) encoded_.record.key = gid_;
  if (encoded_.key_changed) {
    encoded_.removal = encoded_.insertion = encoded_.record;
    close(removal_, std::nullopt, encoded_.removal);
    close(insertion_, end_lsn, encoded_.insertion);
  }
  return encoded_;
}

const NativeJson::Fragments& NativeJson::fragments_of(const Relation& relation) {
  if (relation.version >= fragments_.size()) fragments_.resize(relation.version + std::size_t{1});
  Fragments& fragments = fragments_[relation.version];
  if (fragments.ready) return fragments;
  fragments.table = ",\"schema\":";
  append_json_string(fragments.table, relation.schema);
  fragments.table += ",\"table\":";
  append_json_string(fragments.table, relation.table);
  for (const cdc::Column& column : relation.columns) {
    TextBuffer& fragment = fragments.columns.emplace_back();
    append_json_string(fragment, column.name);
    fragment += ':';
  }
  fragments.unfitting.resize(relation.columns.size());
  fragments.ready = true;
  return fragments;
}

void NativeJson::encode_row_change(const ChangeEvent& event) {
  const Relation& relation = *event.relation;
  const Rows rows{event, relation};
  const bool has_after = event.operation != Operation::delete_;
  const bool has_before = !has_after || !event.before.empty();
  if (has_before) check_width(relation, event.before);
  if (has_after) check_width(relation, event.after);

  start(record_,
        event.operation == Operation::insert ? "insert"
        : has_after                          ? "update"
                                             : "delete",
        relation);
  if (has_after) {
    append_key<&Rows::after>(record_, rows);
  } else {
    append_key<&Rows::before>(record_, rows);
  }
  if (has_before) append_row<&Rows::before>(record_, ",\"before\":{", rows);
  if (has_after) {
    append_row<&Rows::after>(record_, ",\"after\":{", rows);
    append_unchanged(record_, rows);
  }
  append_position(record_, event);
  encoded_.record.routing = relation.key.empty() ? Routing::by_table : Routing::by_key;

  if (!event.key_changed) return;
  encoded_.key_changed = true;
  start(removal_, "delete", relation);
  append_key<&Rows::before>(removal_, rows);
  append_row<&Rows::before>(removal_, ",\"before\":{", rows);
  append_position(removal_, event);
  start(insertion_, "insert", relation);
  append_key<&Rows::after>(insertion_, rows);
  append_row<&Rows::after>(insertion_, ",\"after\":{", rows);
  append_unchanged(insertion_, rows);
  append_position(insertion_, event);
}

void NativeJson::encode_truncate(const ChangeEvent& event) {
  start(record_, "truncate", *event.relation);
  append_flag(record_.value, ",\"cascade\":", event.cascade);
  append_flag(record_.value, ",\"restart_identity\":", event.restart_identity);
  append_position(record_, event);
  encoded_.record.routing = Routing::every_partition;
}

void NativeJson::encode_message(const ChangeEvent& event) {
  TextBuffer& out = record_.value;
  out = "{\"op\":\"message\",\"prefix\":";
  append_json_string(out, event.prefix);
  out += ",\"content\":\"";
  append_base64(out, event.content);
  out += '"';
  append_flag(out, ",\"transactional\":", event.transactional);
  append_position(record_, event);
  record_.key_begin = record_.key_end = 0;
  prefix_ = event.prefix;
  encoded_.record.routing = Routing::logical_message;
}

void NativeJson::encode_outcome(std::string_view operation, const ChangeEvent& event) {
  TextBuffer& out = record_.value;
  out = "{\"op\":\"";
  out += operation;
  out += '"';
  append_position(record_, event);
  record_.key_begin = record_.key_end = 0;
  encoded_.record.routing = Routing::outcome;
}

void NativeJson::start(Draft& draft, std::string_view operation, const Relation& relation) {
  draft.value = "{\"op\":\"";
  draft.value += operation;
  draft.value += '"';
  draft.value += fragments_of(relation).table;
  draft.key_begin = draft.key_end = 0;
}

template <NativeJson::RowAt row>
void NativeJson::append_key(Draft& draft, const Rows& rows) {
  if (rows.relation.key.empty()) return;
  const Fragments& fragments = fragments_of(rows.relation);
  TextBuffer& out = draft.value;
  out += ",\"key\":";
  draft.key_begin = out.size();
  out += '{';
  for (const std::uint16_t column : rows.relation.key) {
    const ColumnValue* value = (rows.*row)(column);
    if (value == nullptr) {
      throw cdc::EncodingError(rows.relation, rows.relation.columns[column],
                               rows.relation.columns[column].type->form,
                               "the server did not send this column of the key");
    }
    out += fragments.columns[column];
    append_value(out, rows, column, *value);
    out += ',';
  }
  out.back() = '}';
  draft.key_end = out.size();
}

template <NativeJson::RowAt row>
void NativeJson::append_row(Draft& draft, std::string_view member, const Rows& rows) {
  const Fragments& fragments = fragments_of(rows.relation);
  TextBuffer& out = draft.value;
  out += member;
  const std::size_t first = out.size();
  for (std::size_t column = 0; column < fragments.columns.size(); ++column) {
    const ColumnValue* value = (rows.*row)(column);
    if (value == nullptr) continue;
    if (out.size() != first) out += ',';
    out += fragments.columns[column];
    append_value(out, rows, column, *value);
  }
  out += '}';
}

void NativeJson::append_unchanged(Draft& draft, const Rows& rows) {
  TextBuffer& out = draft.value;
  bool any = false;
  for (std::size_t column = 0; column < rows.relation.columns.size(); ++column) {
    if (rows.after(column) != nullptr) continue;
    out += any ? "," : ",\"unchanged\":[";
    any = true;
    append_json_string(out, rows.relation.columns[column].name);
  }
  if (any) out += ']';
}

void NativeJson::append_value(TextBuffer& out, const Rows& rows, std::size_t column,
                              const ColumnValue& value) {
  if (value.kind == ValueKind::null) {
    out += "null";
    return;
  }
  const cdc::Column& described = rows.relation.columns[column];
  if (value.kind != ValueKind::text) {
    throw cdc::EncodingError(rows.relation, described, described.type->form,
                             "sent in binary, which was not asked for");
  }
  if (!values_.append(out, rows.relation, described, value.bytes, rows.event.composites_are_text)) {
    note_unfitting(rows.relation, column);
  }
}

void NativeJson::note_unfitting(const Relation& relation, std::size_t column) {
  Fragments& fragments = fragments_[relation.version];
  if (fragments.unfitting[column]) return;
  fragments.unfitting[column] = true;
  unfitting_.push_back(relation.schema + '.' + relation.table + '.' +
                       relation.columns[column].name);
}

std::vector<std::string> NativeJson::take_unfitting() { return std::exchange(unfitting_, {}); }

void NativeJson::append_position(Draft& draft, const ChangeEvent& event) {
  TextBuffer& out = draft.value;
  draft.commit_lsn = in_transaction_ ? transaction_lsn_ : event.lsn;
  out += ",\"lsn\":\"";
  append_lsn(out, event.lsn);
  out += '"';
  if (in_transaction_) {
    out += commit_lsn_;
    out += ",\"seq\":";
    append_number(out, event.seq);
  } else {
    out += ",\"commit_lsn\":\"";
    append_lsn(out, event.lsn);
    out += '"';
  }
}

void NativeJson::close(Draft& draft, std::optional<protocol::Lsn> end_lsn,
                       cdc::Record& record) const {
  TextBuffer& out = draft.value;
  if (end_lsn) {
    out += ",\"last\":true,\"end_lsn\":\"";
    append_lsn(out, *end_lsn);
    out += '"';
  }
  if (in_transaction_) {
    out += tail_;
  } else {
    out += '}';
  }
  record.value = out;
  record.key = draft.key();
  record.commit_lsn = draft.commit_lsn;
  record.commit_time = in_transaction_ ? commit_time_ : protocol::PgTime{};
  record.has_commit_time = in_transaction_;
}

}  // namespace pgcourier::sinks::encoding
