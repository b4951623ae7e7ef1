#include "tests/protocol/pgoutput_script.hpp"

#include <gtest/gtest.h>

#include "protocol/query_messages.hpp"
#include "protocol/replication_messages.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::tests {

using namespace protocol;

namespace {

// Of a row: "1|uno|~" with ~ for NULL, ^ for unchanged TOAST.
std::string text_of(Row row) {
  std::string text;
  for (const auto& value : row) {
    if (!text.empty()) text += '|';
    if (value.kind == ValueKind::null) text += '~';
    if (value.kind == ValueKind::unchanged_toast) text += '^';
    text += value.bytes.size() > 100 ? ByteView("long") : value.bytes;
  }
  return text;
}

// Neither less nor more than a message, by decoders in the state of `decoder`.
void expect_whole(const PgoutputDecoder& decoder, ByteView payload) {
  for (std::size_t cut = 0; cut < payload.size(); cut += 1 + cut / 50) {
    PgoutputDecoder copy = decoder;
    EXPECT_THROW(copy.decode(payload.substr(0, cut)), ProtocolError);
  }
  PgoutputDecoder copy = decoder;
  EXPECT_THROW(copy.decode(std::string(payload) + 'x'), ProtocolError);
}

}  // namespace

std::string PgoutputScript::letter(std::uint32_t xid) {
  return {letters_.try_emplace(xid, static_cast<char>('a' + letters_.size())).first->second};
}

std::string PgoutputScript::change(std::uint32_t xid, std::string_view what) {
  EXPECT_EQ(xid != 0, in_piece_) << what;
  return (xid == 0 ? "" : letter(xid) + ' ') + std::string(what);
}

// Transactions without content differ with the server's catalog work; the bounds add nothing.
void PgoutputScript::operator()(const Begin& begin) { open_ = begin.final_lsn; }

void PgoutputScript::operator()(const Commit& commit) {
  EXPECT_EQ(commit.commit_lsn, open_);
  EXPECT_GT(commit.end_lsn, commit.commit_lsn);
}

void PgoutputScript::operator()(const Origin& origin) {
  lines.push_back("origin " + std::string(origin.origin_name));
}

void PgoutputScript::operator()(const RelationMessage& relation) {
  tables_[relation.relation_oid] = relation.table;
  std::string line = change(relation.xid, "relation ") + std::string(relation.table) + ' ';
  line += static_cast<char>(relation.replica_identity);
  for (const auto& column : relation.columns) {
    line += column.is_key ? " +" : " ";
    line += column.name;
  }
  lines.push_back(line);
}

void PgoutputScript::operator()(const TypeMessage& type) {
  lines.push_back(change(type.xid, "type ") + std::string(type.type_name));
}

void PgoutputScript::operator()(const Insert& insert) {
  lines.push_back(change(insert.xid, "insert ") + tables_[insert.relation_oid] + ' ' +
                  text_of(insert.new_row));
}

void PgoutputScript::operator()(const Update& update) {
  std::string line = change(update.xid, "update ") + tables_[update.relation_oid] + ' ';
  if (!update.old_row.empty()) {
    line += (update.old_row_is_key_only ? "K " : "O ") + text_of(update.old_row) + " -> ";
  }
  lines.push_back(line + text_of(update.new_row));
}

void PgoutputScript::operator()(const Delete& deletion) {
  lines.push_back(change(deletion.xid, "delete ") + tables_[deletion.relation_oid] +
                  (deletion.old_row_is_key_only ? " K " : " O ") + text_of(deletion.old_row));
}

void PgoutputScript::operator()(const Truncate& truncate) {
  std::string line = change(truncate.xid, "truncate");
  for (const auto oid : truncate.relation_oids) line += ' ' + tables_[oid];
  if (truncate.cascade) line += " cascade";
  if (truncate.restart_identity) line += " restart";
  lines.push_back(line);
}

void PgoutputScript::operator()(const LogicalMessage& message) {
  lines.push_back(change(message.xid, message.transactional ? "message in " : "message ") +
                  std::string(message.prefix) + ' ' + std::to_string(message.content.size()));
}

void PgoutputScript::operator()(const StreamStart& start) {
  EXPECT_EQ(start.first_segment, !letters_.contains(start.xid));
  in_piece_ = true;
  lines.push_back((start.first_segment ? "first piece of " : "piece of ") + letter(start.xid));
}

// A piece in which nothing published is left says how the server counts its memory, no more.
void PgoutputScript::operator()(const StreamStop&) {
  in_piece_ = false;
  if (lines.back().starts_with("piece of ")) lines.pop_back();
}

void PgoutputScript::operator()(const StreamCommit& commit) {
  EXPECT_GT(commit.end_lsn, commit.commit_lsn);
  EXPECT_GT(commit.commit_time.microseconds, 0);
  lines.push_back("commit " + letter(commit.xid));
}

void PgoutputScript::operator()(const StreamAbort& abort) {
  EXPECT_EQ(abort.abort_lsn == Lsn{}, abort.abort_time.microseconds == 0);
  lines.push_back("abort " + letter(abort.subtransaction_xid) + " of " + letter(abort.xid) +
                  (abort.abort_lsn == Lsn{} ? "" : " with its LSN"));
}

void PgoutputScript::operator()(const BeginPrepare& begin) {
  EXPECT_GT(begin.end_lsn, begin.prepare_lsn);
  begin_prepare_ = begin;
  begin_prepare_.gid = {};
  lines.push_back("begin prepare " + std::string(begin.gid));
}

void PgoutputScript::operator()(const Prepare& prepare) {
  EXPECT_EQ(prepare.prepare_lsn, begin_prepare_.prepare_lsn);
  EXPECT_EQ(prepare.end_lsn, begin_prepare_.end_lsn);
  EXPECT_EQ(prepare.prepare_time, begin_prepare_.prepare_time);
  EXPECT_EQ(prepare.xid, begin_prepare_.xid);
  prepared_[std::string(prepare.gid)] = prepare.end_lsn;
  lines.push_back("prepare " + std::string(prepare.gid));
}

void PgoutputScript::operator()(const CommitPrepared& commit) {
  EXPECT_TRUE(prepared_.contains(commit.gid));
  EXPECT_GT(commit.end_lsn, commit.commit_lsn);
  EXPECT_GE(commit.commit_lsn, prepared_.find(commit.gid)->second);
  lines.push_back("commit prepared " + std::string(commit.gid));
}

void PgoutputScript::operator()(const RollbackPrepared& rollback) {
  EXPECT_TRUE(prepared_.contains(rollback.gid));
  EXPECT_EQ(rollback.prepare_end_lsn, prepared_.find(rollback.gid)->second);
  EXPECT_GT(rollback.rollback_end_lsn, rollback.prepare_end_lsn);
  EXPECT_GE(rollback.rollback_time, rollback.prepare_time);
  lines.push_back("rollback prepared " + std::string(rollback.gid));
}

void PgoutputScript::operator()(const StreamPrepare& prepare) {
  EXPECT_GT(prepare.end_lsn, prepare.prepare_lsn);
  EXPECT_GT(prepare.prepare_time.microseconds, 0);
  prepared_[std::string(prepare.gid)] = prepare.end_lsn;
  lines.push_back("stream prepare " + letter(prepare.xid) + ' ' + std::string(prepare.gid));
}

std::vector<std::string> script_of(std::string_view recording, PgoutputOptions options,
                                   std::vector<ValueKind>* kinds) {
  PgoutputDecoder decoder(options);
  PgoutputScript script;
  bool in_copy = false;
  for (const auto& message : recorded(recording)) {
    if (!message.from_server) continue;
    const auto frame = framed(message);
    if (frame.type == 'W') {
      EXPECT_TRUE(read_copy_response(frame.body).column_formats.empty());
      in_copy = true;
    }
    if (frame.type != 'd') continue;
    EXPECT_TRUE(in_copy);
    if (frame.body[0] == primary_keepalive_type) {
      read_primary_keepalive(frame.body);
      continue;
    }
    // In a block of its own size, for AddressSanitizer.
    const ExactBuffer payload(read_xlog_data(frame.body).payload);
    const PgoutputDecoder before = decoder;
    const auto decoded = decoder.decode(payload.view());
    expect_whole(before, payload.view());
    if (const auto* insert = std::get_if<Insert>(&decoded); insert && kinds) {
      for (const auto& value : insert->new_row) kinds->push_back(value.kind);
    }
    std::visit(script, decoded);
  }
  return script.lines;
}

}  // namespace pgcourier::tests
