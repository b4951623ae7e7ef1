// Streamed and prepared transactions, message by message; recorded ones: recorded_stream_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/pgoutput_decoder.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::expect_strict;
using tests::from_hex;

constexpr PgoutputOptions everything{.streaming = Streaming::on, .two_phase = true};
constexpr PgoutputOptions in_parallel{.streaming = Streaming::parallel, .two_phase = true};

// Written by hand after §55.9.
const std::string stream_start = from_hex("53 000002eb 01");
const std::string stream_stop = from_hex("45");
const std::string stream_commit =
    from_hex("63 000002eb 00 0000000001000000 0000000001000030 000000000000000a");
const std::string stream_abort = from_hex("41 000002eb 000002ec");
const std::string stream_abort_in_parallel =
    from_hex("41 000002eb 000002ec 0000000001000000 000000000000000a");
const std::string begin_prepare =
    from_hex("62 0000000001000000 0000000001000030 000000000000000a 000002eb 67696400");
const std::string prepare =
    from_hex("50 00 0000000001000000 0000000001000030 000000000000000a 000002eb 67696400");
const std::string commit_prepared =
    from_hex("4b 00 0000000001000000 0000000001000030 000000000000000a 000002eb 67696400");
const std::string rollback_prepared = from_hex(
    "72 00 0000000001000000 0000000001000030 000000000000000a 000000000000000b 000002eb 67696400");
const std::string stream_prepare =
    from_hex("70 00 0000000001000000 0000000001000030 000000000000000a 000002eb 67696400");

// Inside a piece, of the subtransaction 748.
const std::string relation =
    from_hex("52 000002ec 0000400c 7000 7400 64 0001 01 696400 00000017 ffffffff");
const std::string type = from_hex("59 000002ec 00004010 7000 6d00");
const std::string insert = from_hex("49 000002ec 0000400c 4e 0001 74 00000001 37");
const std::string update =
    from_hex("55 000002ec 0000400c 4b 0001 74 00000001 31 4e 0001 74 00000001 32");
const std::string removal = from_hex("44 000002ec 0000400c 4f 0001 74 00000001 31");
const std::string truncate = from_hex("54 000002ec 00000002 03 0000400c 0000400d");
const std::string message = from_hex("4d 000002ec 01 0000000001000000 7000 00000001 61");
const std::string origin = from_hex("4f 0000000000000000 656c7365776865726500");

PgoutputDecoder inside_a_piece() {
  PgoutputDecoder decoder(everything);
  decoder.decode(stream_start);
  return decoder;
}

template <typename Message>
Message read(std::string_view bytes, PgoutputOptions options = everything) {
  return std::get<Message>(PgoutputDecoder(options).decode(bytes));
}

template <typename Message>
Message read_inside(std::string_view bytes) {
  return std::get<Message>(inside_a_piece().decode(bytes));
}

std::string refusal(PgoutputDecoder decoder, std::string_view bytes) {
  return tests::message_of<ProtocolError>([&] { decoder.decode(bytes); });
}

TEST(PgoutputStreaming, ReadsTheBoundsOfAPiece) {
  PgoutputDecoder decoder(everything);
  const auto first = std::get<StreamStart>(decoder.decode(stream_start));
  EXPECT_EQ(first.xid, 747u);
  EXPECT_TRUE(first.first_segment);
  EXPECT_NO_THROW(std::get<StreamStop>(decoder.decode(stream_stop)));
  EXPECT_FALSE(std::get<StreamStart>(decoder.decode(from_hex("53 000002eb 00"))).first_segment);
}

TEST(PgoutputStreaming, ReadsAStreamCommit) {
  const auto commit = read<StreamCommit>(stream_commit);
  EXPECT_EQ(commit.xid, 747u);
  EXPECT_EQ(commit.commit_lsn, Lsn{0x1000000});
  EXPECT_EQ(commit.end_lsn, Lsn{0x1000030});
  EXPECT_EQ(commit.commit_time, PgTime{10});
}

TEST(PgoutputStreaming, ReadsAStreamAbortWithItsPositionOnlyInParallel) {
  const auto abort = read<StreamAbort>(stream_abort);
  EXPECT_EQ(abort.xid, 747u);
  EXPECT_EQ(abort.subtransaction_xid, 748u);
  EXPECT_EQ(abort.abort_lsn, Lsn{});
  const auto parallel = read<StreamAbort>(stream_abort_in_parallel, in_parallel);
  EXPECT_EQ(parallel.subtransaction_xid, 748u);
  EXPECT_EQ(parallel.abort_lsn, Lsn{0x1000000});
  EXPECT_EQ(parallel.abort_time, PgTime{10});
}

TEST(PgoutputStreaming, ReadsBeginPrepareAndPrepare) {
  const auto begin = read<BeginPrepare>(begin_prepare);
  EXPECT_EQ(begin.prepare_lsn, Lsn{0x1000000});
  EXPECT_EQ(begin.end_lsn, Lsn{0x1000030});
  EXPECT_EQ(begin.prepare_time, PgTime{10});
  EXPECT_EQ(begin.xid, 747u);
  EXPECT_EQ(begin.gid, "gid");
  const auto end = read<Prepare>(prepare);
  EXPECT_EQ(end.prepare_lsn, Lsn{0x1000000});
  EXPECT_EQ(end.end_lsn, Lsn{0x1000030});
  EXPECT_EQ(end.prepare_time, PgTime{10});
  EXPECT_EQ(end.xid, 747u);
  EXPECT_EQ(end.gid, "gid");
}

TEST(PgoutputStreaming, ReadsAStreamPrepare) {
  const auto end = read<StreamPrepare>(stream_prepare);
  EXPECT_EQ(end.prepare_lsn, Lsn{0x1000000});
  EXPECT_EQ(end.end_lsn, Lsn{0x1000030});
  EXPECT_EQ(end.prepare_time, PgTime{10});
  EXPECT_EQ(end.xid, 747u);
  EXPECT_EQ(end.gid, "gid");
}

TEST(PgoutputStreaming, ReadsTheEndsOfAPreparedTransaction) {
  const auto commit = read<CommitPrepared>(commit_prepared);
  EXPECT_EQ(commit.commit_lsn, Lsn{0x1000000});
  EXPECT_EQ(commit.end_lsn, Lsn{0x1000030});
  EXPECT_EQ(commit.commit_time, PgTime{10});
  EXPECT_EQ(commit.xid, 747u);
  EXPECT_EQ(commit.gid, "gid");
  const auto rollback = read<RollbackPrepared>(rollback_prepared);
  EXPECT_EQ(rollback.prepare_end_lsn, Lsn{0x1000000});
  EXPECT_EQ(rollback.rollback_end_lsn, Lsn{0x1000030});
  EXPECT_EQ(rollback.prepare_time, PgTime{10});
  EXPECT_EQ(rollback.rollback_time, PgTime{11});
  EXPECT_EQ(rollback.xid, 747u);
  EXPECT_EQ(rollback.gid, "gid");
}

TEST(PgoutputStreaming, ReadsWhoseChangeItIsInsideAPiece) {
  PgoutputDecoder decoder = inside_a_piece();
  const auto table = std::get<RelationMessage>(decoder.decode(relation));
  EXPECT_EQ(table.xid, 748u);
  EXPECT_EQ(table.relation_oid, 16396u);
  EXPECT_EQ(table.columns.size(), 1u);
  const auto mood = std::get<TypeMessage>(decoder.decode(type));
  EXPECT_EQ(mood.xid, 748u);
  EXPECT_EQ(mood.type_oid, 16400u);
  const auto inserted = std::get<Insert>(decoder.decode(insert));
  EXPECT_EQ(inserted.xid, 748u);
  EXPECT_EQ(inserted.relation_oid, 16396u);
  EXPECT_EQ(inserted.new_row[0].bytes, "7");
  const auto updated = std::get<Update>(decoder.decode(update));
  EXPECT_EQ(updated.xid, 748u);
  EXPECT_EQ(updated.relation_oid, 16396u);
  EXPECT_EQ(updated.old_row[0].bytes, "1");
  const auto deleted = std::get<Delete>(decoder.decode(removal));
  EXPECT_EQ(deleted.xid, 748u);
  EXPECT_EQ(deleted.relation_oid, 16396u);
  const auto truncated = std::get<Truncate>(decoder.decode(truncate));
  EXPECT_EQ(truncated.xid, 748u);
  EXPECT_THAT(truncated.relation_oids, ElementsAre(16396u, 16397u));
  const auto told = std::get<LogicalMessage>(decoder.decode(message));
  EXPECT_EQ(told.xid, 748u);
  EXPECT_TRUE(told.transactional);
  EXPECT_EQ(told.content, "a");
}

TEST(PgoutputStreaming, ReadsAnOriginInsideAPieceAsOutside) {
  EXPECT_EQ(read_inside<Origin>(origin).origin_name, "elsewhere");
}

TEST(PgoutputStreaming, ReadsNoTransactionIdOutsideOfPieces) {
  PgoutputDecoder decoder = inside_a_piece();
  decoder.decode(stream_stop);
  const auto inserted =
      std::get<Insert>(decoder.decode(from_hex("49 0000400c 4e 0001 74 00000001 37")));
  EXPECT_EQ(inserted.xid, 0u);
  EXPECT_EQ(inserted.relation_oid, 16396u);
}

TEST(PgoutputStreaming, TakesNeitherLessNorMoreThanAMessage) {
  for (const auto& bytes : {stream_start, stream_commit, stream_abort, begin_prepare, prepare,
                            commit_prepared, rollback_prepared, stream_prepare}) {
    SCOPED_TRACE(bytes[0]);
    expect_strict(bytes, [](ByteView view) { PgoutputDecoder(everything).decode(view); });
  }
  expect_strict(stream_abort_in_parallel,
                [](ByteView view) { PgoutputDecoder(in_parallel).decode(view); });
  for (const auto& bytes :
       {relation, type, insert, update, removal, truncate, message, origin, stream_stop}) {
    SCOPED_TRACE(bytes[0]);
    expect_strict(bytes, [](ByteView view) { inside_a_piece().decode(view); });
  }
}

TEST(PgoutputStreaming, RefusesFlagsAndMissingTransactionIds) {
  const auto refuses = [](const char* hex) {
    EXPECT_THROW(PgoutputDecoder(everything).decode(from_hex(hex)), ProtocolError) << hex;
  };
  refuses("53 000002eb 02");
  refuses("53 00000000 01");
  refuses("63 000002eb 01 0000000001000000 0000000001000030 000000000000000a");
  refuses("63 00000000 00 0000000001000000 0000000001000030 000000000000000a");
  refuses("41 00000000 000002ec");
  refuses("41 000002eb 00000000");
  for (const auto& bytes : {prepare, commit_prepared, rollback_prepared, stream_prepare}) {
    std::string flagged = bytes;
    flagged[1] = 1;
    EXPECT_THAT(refusal(PgoutputDecoder(everything), flagged), HasSubstr("flags"));
  }
  EXPECT_THAT(refusal(inside_a_piece(), from_hex("49 00000000 0000400c 4e 0000")),
              HasSubstr("Insert: 0 is no transaction id"));
}

TEST(PgoutputStreaming, RefusesBoundsInsideAPieceAndItsEndOutside) {
  for (const auto& bytes : {stream_start, stream_commit, stream_abort, begin_prepare, prepare,
                            commit_prepared, rollback_prepared, stream_prepare,
                            from_hex("42 0000000001000000 000000000000000a 000002eb"),
                            from_hex("43 00 0000000001000000 0000000001000030 000000000000000a")}) {
    EXPECT_THAT(refusal(inside_a_piece(), bytes), HasSubstr("inside a piece")) << bytes[0];
  }
  EXPECT_THAT(refusal(PgoutputDecoder(everything), stream_stop), HasSubstr("outside a piece"));
  PgoutputDecoder stopped = inside_a_piece();
  stopped.decode(stream_stop);
  EXPECT_THAT(refusal(stopped, stream_stop), HasSubstr("outside a piece"));
}

TEST(PgoutputStreaming, StaysWhereItIsAfterNonsense) {
  PgoutputDecoder decoder(everything);
  EXPECT_THROW(decoder.decode(stream_start + 'x'), ProtocolError);
  EXPECT_THROW(decoder.decode(stream_stop), ProtocolError);
  decoder.decode(stream_start);
  EXPECT_THROW(decoder.decode(stream_stop + 'x'), ProtocolError);
  EXPECT_EQ(std::get<Insert>(decoder.decode(insert)).xid, 748u);
}

TEST(PgoutputStreaming, SaysWhatWasNotAskedFor) {
  const PgoutputDecoder only_streaming(PgoutputOptions{.streaming = Streaming::on});
  const PgoutputDecoder only_two_phase(PgoutputOptions{.two_phase = true});
  for (const auto& bytes :
       {stream_start, stream_stop, stream_commit, stream_abort, stream_prepare}) {
    EXPECT_THAT(refusal(only_two_phase, bytes), HasSubstr("streaming was not asked for"));
  }
  for (const auto& bytes :
       {begin_prepare, prepare, commit_prepared, rollback_prepared, stream_prepare}) {
    EXPECT_THAT(refusal(only_streaming, bytes), HasSubstr("two_phase was not asked for"));
  }
  EXPECT_EQ(refusal(PgoutputDecoder(everything), "?"),
            "pgoutput: unknown message type 63 at byte 0");
}

TEST(PgoutputStreaming, RefusesEveryTypeThatIsNotOfTheManual) {
  constexpr std::string_view types = "BCORYIUDTMSEcAbPKrp";
  for (int byte = 0; byte < 256; ++byte) {
    const char tag = static_cast<char>(byte);
    if (types.find(tag) != std::string_view::npos) continue;
    for (const auto& decoder : {PgoutputDecoder(in_parallel), inside_a_piece()}) {
      EXPECT_THAT(refusal(decoder, tag + insert.substr(1)), HasSubstr("unknown message type"));
    }
  }
}

}  // namespace
}  // namespace pgcourier::protocol
