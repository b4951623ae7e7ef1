// A whole replication stream of a real server: framer, XLogData and decoder together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "protocol/pgoutput_decoder.hpp"
#include "protocol/query_messages.hpp"
#include "protocol/replication_messages.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;

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

// One line a message; what differs between recordings is left out.
class Script {
 public:
  void operator()(const Begin& begin) {
    open_ = begin.final_lsn;
    add("begin");
  }
  void operator()(const Commit& commit) {
    EXPECT_EQ(commit.commit_lsn, open_);
    EXPECT_GT(commit.end_lsn, commit.commit_lsn);
    add("commit");
  }
  void operator()(const Origin& origin) { add("origin " + std::string(origin.origin_name)); }
  void operator()(const RelationMessage& relation) {
    tables_[relation.relation_oid] = relation.table;
    std::string line = "relation " + std::string(relation.table) + ' ';
    line += static_cast<char>(relation.replica_identity);
    for (const auto& column : relation.columns) {
      line += column.is_key ? " +" : " ";
      line += column.name;
    }
    add(line);
  }
  void operator()(const TypeMessage& type) { add("type " + std::string(type.type_name)); }
  void operator()(const Insert& insert) {
    add("insert " + tables_[insert.relation_oid] + ' ' + text_of(insert.new_row));
  }
  void operator()(const Update& update) {
    std::string line = "update " + tables_[update.relation_oid] + ' ';
    if (!update.old_row.empty()) {
      line += (update.old_row_is_key_only ? "K " : "O ") + text_of(update.old_row) + " -> ";
    }
    add(line + text_of(update.new_row));
  }
  void operator()(const Delete& deletion) {
    add("delete " + tables_[deletion.relation_oid] +
        (deletion.old_row_is_key_only ? " K " : " O ") + text_of(deletion.old_row));
  }
  void operator()(const Truncate& truncate) {
    std::string line = "truncate";
    for (const auto oid : truncate.relation_oids) line += ' ' + tables_[oid];
    if (truncate.cascade) line += " cascade";
    if (truncate.restart_identity) line += " restart";
    add(line);
  }
  void operator()(const LogicalMessage& message) {
    add((message.transactional ? "message in " : "message ") + std::string(message.prefix) + ' ' +
        std::to_string(message.content.size()));
  }

  void add(std::string line) {
    // Transactions without content differ with the server's catalog work; the bounds add nothing.
    if (line != "begin" && line != "commit") lines.push_back(std::move(line));
  }

  std::vector<std::string> lines;

 private:
  Lsn open_;
  std::map<std::uint32_t, std::string> tables_;
};

std::vector<std::string> script_of(std::string_view recording, std::vector<ValueKind>& kinds) {
  PgoutputDecoder decoder;
  Script script;
  bool in_copy = false;
  for (const auto& message : tests::recorded(recording)) {
    if (!message.from_server) continue;
    const auto frame = tests::framed(message);
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
    const tests::ExactBuffer payload(read_xlog_data(frame.body).payload);
    const auto decoded = decoder.decode(payload.view());
    if (const auto* insert = std::get_if<Insert>(&decoded)) {
      for (const auto& value : insert->new_row) kinds.push_back(value.kind);
    }
    std::visit(script, decoded);
    for (std::size_t cut = 0; cut < payload.view().size(); cut += 1 + cut / 50) {
      EXPECT_THROW(PgoutputDecoder{}.decode(payload.view().substr(0, cut)), ProtocolError);
    }
  }
  return script.lines;
}

// TRUNCATE and the origin's session make the server send Relations and Types again.
TEST(RecordedStream, TellsWhatTheWorkloadDid) {
  std::vector<ValueKind> kinds;
  EXPECT_THAT(
      script_of("pgoutput", kinds),
      ElementsAre("type mood", "relation plain d +id note feeling", "insert plain 1|one|happy",
                  "insert plain 2|~|~", "update plain 1|uno|happy", "update plain K 2|~|~ -> 3|~|~",
                  "delete plain K 1|~|~", "relation wide d +id big n", "insert wide 1|long|1",
                  "update wide 1|^|2", "relation full_identity f +id +note",
                  "insert full_identity 1|~", "update full_identity O 1|~ -> 1|n",
                  "delete full_identity O 1|n", "relation no_identity n id", "insert no_identity 7",
                  "relation by_index i +a b", "insert by_index 1|b", "update by_index K 1|~ -> 2|b",
                  "delete by_index K 2|~", "type mood", "relation plain d +id note feeling",
                  "relation wide d +id big n", "truncate plain wide cascade restart",
                  "message prefix 2", "message in prefix 6", "origin elsewhere", "type mood",
                  "relation plain d +id note feeling", "insert plain 9|far|sad",
                  "message in end 0"));
}

TEST(RecordedStream, HasBinaryValuesWhereTheTypeKnowsHow) {
  std::vector<ValueKind> kinds;
  EXPECT_FALSE(script_of("pgoutput_binary", kinds).empty());
  EXPECT_THAT(kinds, testing::Contains(ValueKind::binary));
}

}  // namespace
}  // namespace pgcourier::protocol
