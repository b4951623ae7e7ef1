#include "protocol/replication_messages.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using tests::expect_strict;
using tests::from_hex;

const std::string xlog_data_head =
    from_hex("77 0000000001000000 0000000001000030 000000000000000a");
const std::string keepalive = from_hex("6b 0000000001000030 000000000000000a 01");

TEST(XLogData, CarriesAPayload) {
  const std::string bytes = xlog_data_head + "payload";
  const auto message = read_xlog_data(bytes);
  EXPECT_EQ(message.start, Lsn{0x1000000});
  EXPECT_EQ(message.end, Lsn{0x1000030});
  EXPECT_EQ(message.server_time, PgTime{10});
  EXPECT_EQ(message.payload, "payload");
}

TEST(XLogData, RefusesLessThanItsHeadAndOtherTypes) {
  for (std::size_t length = 0; length < xlog_data_head.size(); ++length) {
    const tests::ExactBuffer cut(std::string_view(xlog_data_head).substr(0, length));
    EXPECT_THROW(read_xlog_data(cut.view()), ProtocolError) << length;
  }
  EXPECT_TRUE(read_xlog_data(xlog_data_head).payload.empty());
  EXPECT_THROW(read_xlog_data(keepalive + std::string(20, 'x')), ProtocolError);
}

TEST(PrimaryKeepalive, MayAskForAReply) {
  const auto message = read_primary_keepalive(keepalive);
  EXPECT_EQ(message.end, Lsn{0x1000030});
  EXPECT_EQ(message.server_time, PgTime{10});
  EXPECT_TRUE(message.reply_requested);
  expect_strict(keepalive, read_primary_keepalive);
  auto silent = keepalive;
  silent.back() = 0;
  EXPECT_FALSE(read_primary_keepalive(silent).reply_requested);
  silent.back() = 2;
  EXPECT_THROW(read_primary_keepalive(silent), ProtocolError);
}

TEST(StandbyStatusUpdate, HasTheManualsFields) {
  const std::string out = standby_status_update({.write = Lsn{3},
                                                 .flush = Lsn{2},
                                                 .apply = Lsn{1},
                                                 .client_time = PgTime{10},
                                                 .reply_requested = true});
  EXPECT_EQ(out, from_hex("72 0000000000000003 0000000000000002"
                          "0000000000000001 000000000000000a 01"));
}

TEST(HotStandbyFeedback, HasTheManualsFields) {
  const std::string out = hot_standby_feedback({.client_time = PgTime{10},
                                                .xmin = 1,
                                                .xmin_epoch = 2,
                                                .catalog_xmin = 3,
                                                .catalog_xmin_epoch = 4});
  EXPECT_EQ(out, from_hex("68 000000000000000a 00000001 00000002 00000003 00000004"));
}

RC_GTEST_PROP(StandbyStatusUpdate, ReportsEveryPositionAsItIs,
              (std::uint64_t write, std::uint64_t flush, std::uint64_t apply, std::int64_t time,
               bool reply)) {
  const std::string out = standby_status_update({.write = Lsn{write},
                                                 .flush = Lsn{flush},
                                                 .apply = Lsn{apply},
                                                 .client_time = PgTime{time},
                                                 .reply_requested = reply});
  WireReader in(out);
  RC_ASSERT(in.u8() == 'r');
  RC_ASSERT(in.lsn() == Lsn{write});
  RC_ASSERT(in.lsn() == Lsn{flush});
  RC_ASSERT(in.lsn() == Lsn{apply});
  RC_ASSERT(in.time() == PgTime{time});
  RC_ASSERT(in.u8() == (reply ? 1u : 0u));
  in.finish("status");
}

}  // namespace
}  // namespace pgcourier::protocol
