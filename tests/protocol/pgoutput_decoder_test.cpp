#include "protocol/pgoutput_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::expect_strict;
using tests::from_hex;

void decode(ByteView payload) { PgoutputDecoder{}.decode(payload); }

// Written by hand after §55.9.
const std::string begin = from_hex("42 0000000001000000 000000000000000a 000002eb");
const std::string commit = from_hex("43 00 0000000001000000 0000000001000030 000000000000000a");
const std::string origin = from_hex("4f 00000000000000ab 656c7365776865726500");
const std::string relation = from_hex(
    "52 0000400c 7075626c696300 7400 64 0002"
    "  01 696400 00000017 ffffffff"
    "  00 6e6f746500 00000019 0000000e");
const std::string type = from_hex("59 00004010 7075626c696300 6d6f6f6400");
const std::string insert = from_hex("49 0000400c 4e 0003 74 00000001 37 6e 62 00000002 00ff");
// UPDATE t SET id = 7, whose second column stays in TOAST.
const std::string update = from_hex(
    "55 0000400c"       // of relation 16396
    "4e 0002"           // new row, 2 columns
    "  74 00000001 37"  // text "7"
    "  75");            // unchanged TOAST
const std::string update_of_key =
    from_hex("55 0000400c 4b 0001 74 00000001 31 4e 0001 74 00000001 32");
const std::string update_of_full =
    from_hex("55 0000400c 4f 0001 74 00000001 31 4e 0001 74 00000001 32");
const std::string delete_of_key = from_hex("44 0000400c 4b 0002 74 00000001 31 6e");
const std::string delete_of_full = from_hex("44 0000400c 4f 0001 74 00000001 31");
const std::string truncate = from_hex("54 00000002 03 0000400c 0000400d");
const std::string message = from_hex("4d 01 0000000001000000 7000 00000003 6100ff");

TEST(PgoutputDecoder, ReadsTheBoundsOfATransaction) {
  PgoutputDecoder decoder;
  const auto first = std::get<Begin>(decoder.decode(begin));
  EXPECT_EQ(first.final_lsn, Lsn{0x1000000});
  EXPECT_EQ(first.commit_time, PgTime{10});
  EXPECT_EQ(first.xid, 747u);
  const auto last = std::get<Commit>(decoder.decode(commit));
  EXPECT_EQ(last.commit_lsn, Lsn{0x1000000});
  EXPECT_EQ(last.end_lsn, Lsn{0x1000030});
  EXPECT_EQ(last.commit_time, PgTime{10});
}

TEST(PgoutputDecoder, ReadsAnOrigin) {
  const auto read = std::get<Origin>(PgoutputDecoder{}.decode(origin));
  EXPECT_EQ(read.commit_lsn, Lsn{0xAB});
  EXPECT_EQ(read.origin_name, "elsewhere");
}

TEST(PgoutputDecoder, ReadsARelation) {
  PgoutputDecoder decoder;
  const auto read = std::get<RelationMessage>(decoder.decode(relation));
  EXPECT_EQ(read.relation_oid, 16396u);
  EXPECT_EQ(read.schema, "public");
  EXPECT_EQ(read.table, "t");
  EXPECT_EQ(read.replica_identity, ReplicaIdentity::default_);
  ASSERT_EQ(read.columns.size(), 2u);
  EXPECT_TRUE(read.columns[0].is_key);
  EXPECT_EQ(read.columns[0].name, "id");
  EXPECT_EQ(read.columns[0].type_oid, 23u);
  EXPECT_EQ(read.columns[0].type_modifier, -1);
  EXPECT_FALSE(read.columns[1].is_key);
  EXPECT_EQ(read.columns[1].name, "note");
  EXPECT_EQ(read.columns[1].type_oid, 25u);
  EXPECT_EQ(read.columns[1].type_modifier, 14);
}

TEST(PgoutputDecoder, ReadsAType) {
  const auto read = std::get<TypeMessage>(PgoutputDecoder{}.decode(type));
  EXPECT_EQ(read.type_oid, 16400u);
  EXPECT_EQ(read.schema, "public");
  EXPECT_EQ(read.type_name, "mood");
}

TEST(PgoutputDecoder, ReadsAnInsertWithTextNullAndBinary) {
  PgoutputDecoder decoder;
  const auto read = std::get<Insert>(decoder.decode(insert));
  EXPECT_EQ(read.relation_oid, 16396u);
  ASSERT_EQ(read.new_row.size(), 3u);
  EXPECT_EQ(read.new_row[0].kind, ValueKind::text);
  EXPECT_EQ(read.new_row[0].bytes, "7");
  EXPECT_EQ(read.new_row[1].kind, ValueKind::null);
  EXPECT_EQ(read.new_row[2].kind, ValueKind::binary);
  EXPECT_EQ(read.new_row[2].bytes, from_hex("00ff"));
}

TEST(PgoutputDecoder, ReadsAnUpdateWithAnUnchangedToastColumn) {
  PgoutputDecoder decoder;
  const auto read = std::get<Update>(decoder.decode(update));
  EXPECT_EQ(read.relation_oid, 16396u);
  EXPECT_TRUE(read.old_row.empty());
  ASSERT_EQ(read.new_row.size(), 2u);
  EXPECT_EQ(read.new_row[0].bytes, "7");
  EXPECT_EQ(read.new_row[1].kind, ValueKind::unchanged_toast);
}

TEST(PgoutputDecoder, ReadsTheOldRowOfAnUpdate) {
  PgoutputDecoder decoder;
  for (const auto& bytes : {update_of_key, update_of_full}) {
    const auto read = std::get<Update>(decoder.decode(bytes));
    EXPECT_EQ(read.old_row_is_key_only, bytes == update_of_key);
    ASSERT_EQ(read.old_row.size(), 1u);
    EXPECT_EQ(read.old_row[0].bytes, "1");
    ASSERT_EQ(read.new_row.size(), 1u);
    EXPECT_EQ(read.new_row[0].bytes, "2");
  }
}

TEST(PgoutputDecoder, ReadsADelete) {
  PgoutputDecoder decoder;
  const auto by_key = std::get<Delete>(decoder.decode(delete_of_key));
  EXPECT_TRUE(by_key.old_row_is_key_only);
  EXPECT_EQ(by_key.old_row.size(), 2u);
  const auto full = std::get<Delete>(decoder.decode(delete_of_full));
  EXPECT_FALSE(full.old_row_is_key_only);
  EXPECT_EQ(full.old_row.size(), 1u);
}

TEST(PgoutputDecoder, ReadsATruncate) {
  PgoutputDecoder decoder;
  const auto read = std::get<Truncate>(decoder.decode(truncate));
  EXPECT_THAT(read.relation_oids, ElementsAre(16396u, 16397u));
  EXPECT_TRUE(read.cascade);
  EXPECT_TRUE(read.restart_identity);
}

TEST(PgoutputDecoder, ReadsALogicalMessage) {
  const auto read = std::get<LogicalMessage>(PgoutputDecoder{}.decode(message));
  EXPECT_TRUE(read.transactional);
  EXPECT_EQ(read.lsn, Lsn{0x1000000});
  EXPECT_EQ(read.prefix, "p");
  EXPECT_EQ(read.content, from_hex("6100ff"));
}

TEST(PgoutputDecoder, TakesNeitherLessNorMoreThanAMessage) {
  for (const auto& bytes : {begin, commit, origin, relation, type, insert, update, update_of_key,
                            update_of_full, delete_of_key, delete_of_full, truncate, message}) {
    SCOPED_TRACE(bytes[0]);
    expect_strict(bytes, decode);
  }
}

TEST(PgoutputDecoder, RefusesUnknownTagsInsideMessages) {
  const auto refuses = [](const char* hex) {
    EXPECT_THROW(decode(from_hex(hex)), ProtocolError) << hex;
  };
  refuses("43 01 0000000001000000 0000000001000030 000000000000000a");  // Commit flags
  refuses("52 0000400c 7000 7400 78 0000");                             // replica identity 'x'
  refuses("52 0000400c 7000 7400 64 0001 02 6100 00000017 ffffffff");   // column flags
  refuses("49 0000400c 4f 0000");                                       // Insert without 'N'
  refuses("49 0000400c 4e 0001 78");                                    // value kind 'x'
  refuses("55 0000400c 4e4b 0000");
  refuses("55 0000400c 4b 0000 4b 0000");           // two old rows
  refuses("44 0000400c 4e 0000");                   // Delete with a new row
  refuses("54 00000000 04");                        // Truncate options
  refuses("4d 02 0000000001000000 7000 00000000");  // Message flags
}

TEST(PgoutputDecoder, RefusesNegativeLengthsAndCountsItCannotHold) {
  const auto refuses = [](const char* hex) {
    EXPECT_THROW(decode(from_hex(hex)), ProtocolError) << hex;
  };
  refuses("49 0000400c 4e 0001 74 ffffffff");
  refuses("49 0000400c 4e 0001 74 fffffffe 00");
  refuses("49 0000400c 4e ffff 6e");
  refuses("52 0000400c 7000 7400 64 ffff");
  refuses("54 ffffffff 00 00000001");
  refuses("4d 00 0000000001000000 7000 ffffffff");
}

TEST(PgoutputDecoder, SaysWhatWasNotAskedFor) {
  for (const char tag : std::string_view("SEcAbPKrp")) {
    const std::string text =
        tests::message_of<ProtocolError>([&] { decode(std::string(1, tag) + "rest"); });
    EXPECT_THAT(text, HasSubstr("not asked for")) << tag;
  }
  EXPECT_THROW(decode("?"), ProtocolError);
  EXPECT_THROW(decode(""), ProtocolError);
}

TEST(PgoutputDecoder, ForgetsAWiderRowBeforeANarrowerOne) {
  PgoutputDecoder decoder;
  decoder.decode(insert);
  const auto read = std::get<Update>(decoder.decode(update));
  EXPECT_EQ(read.new_row.size(), 2u);
  EXPECT_EQ(read.new_row[1].kind, ValueKind::unchanged_toast);
  EXPECT_TRUE(read.new_row[1].bytes.empty());
}

TEST(PgoutputDecoder, GoesOnAfterNonsense) {
  PgoutputDecoder decoder;
  EXPECT_THROW(decoder.decode(from_hex("49 0000400c 4e 0001 78")), ProtocolError);
  EXPECT_EQ(std::get<Insert>(decoder.decode(insert)).new_row.size(), 3u);
}

}  // namespace
}  // namespace pgcourier::protocol
