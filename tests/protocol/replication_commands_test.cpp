#include "protocol/replication_commands.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <stdexcept>

#include "protocol/server_version.hpp"

namespace pgcourier::protocol {
namespace {

TEST(Quoting, DoublesTheQuoteAndNothingElse) {
  EXPECT_EQ(quote_identifier("Or\"der's\\, é"), "\"Or\"\"der's\\, é\"");
  EXPECT_EQ(quote_literal("it's \"\\n\""), "'it''s \"\\n\"'");
  EXPECT_EQ(quote_identifier(""), "\"\"");
  EXPECT_THROW(quote_identifier(std::string_view("a\0b", 3)), std::invalid_argument);
  EXPECT_THROW(quote_literal(std::string_view("\0", 1)), std::invalid_argument);
}

// Undoes the quoting as the replication grammar does: doubled quotes are one, no other escapes.
std::string unquoted(const std::string& text, char quote) {
  std::string result;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == quote) {
      RC_ASSERT(text[i + 1] == quote && i + 2 < text.size());
      ++i;
    }
    result += text[i];
  }
  return result;
}

RC_GTEST_PROP(Quoting, ComesBack, ()) {
  const auto text = *rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::element('\'', '"', '\\', ','), rc::gen::nonZero<char>()));
  RC_ASSERT(unquoted(quote_identifier(text), '"') == text);
  RC_ASSERT(unquoted(quote_literal(text), '\'') == text);
}

TEST(ReplicationCommands, AskForIdentityAndHistory) {
  EXPECT_EQ(identify_system(), "IDENTIFY_SYSTEM");
  EXPECT_EQ(timeline_history(3), "TIMELINE_HISTORY 3");
  EXPECT_THROW(timeline_history(0), std::invalid_argument);
  EXPECT_EQ(show("wal_segment_size"), "SHOW \"wal_segment_size\"");
  EXPECT_EQ(show("an.\"extension.s"), "SHOW \"an\".\"\"\"extension\".\"s\"");
}

TEST(CreateReplicationSlot, UsesParenthesesFrom15On) {
  EXPECT_EQ(create_replication_slot(CreateLogicalSlot{.slot = "s"}, 150'000),
            "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'nothing')");
  EXPECT_EQ(create_replication_slot({.slot = "s",
                                     .temporary = true,
                                     .snapshot = SlotSnapshot::export_,
                                     .two_phase = true,
                                     .failover = true},
                                    170'000),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput "
            "(SNAPSHOT 'export', TWO_PHASE, FAILOVER)");
}

TEST(CreateReplicationSlot, UsesKeywordsBefore15) {
  EXPECT_EQ(create_replication_slot(CreateLogicalSlot{.slot = "s"}, 140'010),
            "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput NOEXPORT_SNAPSHOT");
  EXPECT_EQ(create_replication_slot({.slot = "s", .temporary = true, .snapshot = SlotSnapshot::use},
                                    140'010),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput USE_SNAPSHOT");
}

TEST(CreateReplicationSlot, RefusesWhatTheServerHasNoWordsFor) {
  EXPECT_THROW(create_replication_slot({.slot = "s", .two_phase = true}, 140'010),
               std::invalid_argument);
  EXPECT_THROW(create_replication_slot({.slot = "s", .failover = true}, 160'000),
               std::invalid_argument);
}

TEST(CreateReplicationSlot, MakesPhysicalOnes) {
  EXPECT_EQ(create_replication_slot(CreatePhysicalSlot{.slot = "s"}, 180'000),
            "CREATE_REPLICATION_SLOT \"s\" PHYSICAL");
  const CreatePhysicalSlot reserving{.slot = "s", .temporary = true, .reserve_wal = true};
  EXPECT_EQ(create_replication_slot(reserving, 150'000),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL (RESERVE_WAL)");
  EXPECT_EQ(create_replication_slot(reserving, 140'010),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL RESERVE_WAL");
}

TEST(AlterReplicationSlot, ChangesWhatTheServerCan) {
  EXPECT_EQ(alter_replication_slot({.slot = "s", .failover = true}, 170'000),
            "ALTER_REPLICATION_SLOT \"s\" (FAILOVER 'true')");
  EXPECT_EQ(alter_replication_slot({.slot = "s", .failover = false, .two_phase = true}, 180'000),
            "ALTER_REPLICATION_SLOT \"s\" (FAILOVER 'false', TWO_PHASE 'true')");
  EXPECT_THROW(alter_replication_slot({.slot = "s"}, 180'000), std::invalid_argument);
  EXPECT_THROW(alter_replication_slot({.slot = "s", .failover = true}, 160'000),
               std::invalid_argument);
  EXPECT_THROW(alter_replication_slot({.slot = "s", .two_phase = true}, 170'000),
               std::invalid_argument);
}

TEST(ReadReplicationSlot, IsOf15) {
  EXPECT_EQ(read_replication_slot("s", 150'000), "READ_REPLICATION_SLOT \"s\"");
  EXPECT_THROW(read_replication_slot("s", 140'010), std::invalid_argument);
}

TEST(UploadManifest, IsOf17) {
  EXPECT_EQ(upload_manifest(170'000), "UPLOAD_MANIFEST");
  EXPECT_THROW(upload_manifest(160'000), std::invalid_argument);
}

TEST(DropReplicationSlot, MayWait) {
  EXPECT_EQ(drop_replication_slot("s", false), "DROP_REPLICATION_SLOT \"s\"");
  EXPECT_EQ(drop_replication_slot("s", true), "DROP_REPLICATION_SLOT \"s\" WAIT");
}

TEST(StartReplication, MentionsOnlyWhatIsSet) {
  EXPECT_EQ(start_replication(StartLogicalReplication{.slot = "s", .publications = {"p"}}),
            "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (proto_version '1', "
            "publication_names '\"p\"')");
  EXPECT_EQ(start_replication({.slot = "s",
                               .start = Lsn{0x16B3748},
                               .proto_version = 4,
                               .publications = {"p"},
                               .messages = true,
                               .binary = false,
                               .streaming = "parallel",
                               .two_phase = true,
                               .origin = "none"}),
            "START_REPLICATION SLOT \"s\" LOGICAL 0/16B3748 (proto_version '4', "
            "publication_names '\"p\"', messages 'true', binary 'false', streaming 'parallel', "
            "two_phase 'true', origin 'none')");
}

TEST(StartReplication, StreamsPhysically) {
  EXPECT_EQ(start_replication(StartPhysicalReplication{.start = Lsn{0x3000000}}),
            "START_REPLICATION PHYSICAL 0/3000000");
  EXPECT_EQ(start_replication(
                StartPhysicalReplication{.slot = "s", .start = Lsn{0x1000000000}, .timeline = 3}),
            "START_REPLICATION SLOT \"s\" PHYSICAL 10/0 TIMELINE 3");
}

TEST(StartReplication, QuotesPublicationsTwice) {
  EXPECT_EQ(start_replication({.slot = "s", .publications = {"It's", "a,b", "q\"q", "é"}}),
            "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (proto_version '1', "
            "publication_names '\"It''s\",\"a,b\",\"q\"\"q\",\"é\"')");
}

TEST(ServerVersion, IsReadAsTheServerNumbersIt) {
  EXPECT_EQ(server_version_number("15.18 (Debian 15.18-0+deb12u1)"), 150'018);
  EXPECT_EQ(server_version_number("16beta1"), 160'000);
  EXPECT_EQ(server_version_number("17devel"), 170'000);
  EXPECT_EQ(server_version_number("18"), 180'000);
  EXPECT_EQ(server_version_number("9.6.24"), 90'624);
  for (const auto* text : {"", "x", "-1", ".5", "99999999999"}) {
    EXPECT_EQ(server_version_number(text), 0) << text;
  }
}

}  // namespace
}  // namespace pgcourier::protocol
