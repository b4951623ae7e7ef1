// Hot standby feedback as the server keeps it, §55.4: for the walsender without a slot, for the
// slot with one, until it is taken back.
#include <gmock/gmock.h>

#include <vector>

#include "replication/replication_commands.hpp"
#include "replication/wal_stream.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication {
namespace {

using protocol::HotStandbyFeedback;
using protocol::Lsn;
using test::Session;

struct Exchange {
  HotStandbyFeedback feedback;
  std::string shown;  // what `query` gives once the server knows it
  int times = 1;      // given before that counts
};

void bring_wal(Session& sql) { sql.query("SELECT pg_logical_emit_message(true, 'feedback', '')"); }

// Gives each feedback until the server shows it. WAL comes all the time, and status messages go.
class HotStandby : public WalReceiver {
 public:
  HotStandby(Session& watcher, Lsn start, std::string query, std::vector<Exchange> exchanges)
      : watcher_(watcher), at_(start), query_(std::move(query)), exchanges_(std::move(exchanges)) {}

  void receive(const protocol::XLogData& wal) override { at_.value += wal.payload.size(); }
  WalProgress progress() override {
    if (!enough() && given_ >= exchanges_[done_].times &&
        watcher_.value(query_) == exchanges_[done_].shown) {
      ++done_;
      given_ = 0;
    }
    bring_wal(watcher_);
    if (++reads_ > 1000) throw std::runtime_error("still " + watcher_.value(query_));
    return {.write = at_, .flush = at_, .apply = at_};
  }
  std::optional<HotStandbyFeedback> feedback() override {
    if (enough()) return std::nullopt;
    ++given_;
    return exchanges_[done_].feedback;
  }
  bool enough() const override { return done_ == exchanges_.size(); }

 private:
  Session& watcher_;
  Lsn at_;
  std::string query_;
  std::vector<Exchange> exchanges_;
  std::size_t done_ = 0;
  int given_ = 0;
  int reads_ = 0;
};

class LiveHotStandbyFeedback : public test::LiveTest {
 protected:
  // Of the next transaction, as a standby would give it: the epoch apart.
  static HotStandbyFeedback next_xid(Session& sql) {
    const std::uint64_t xid =
        std::stoull(sql.value("SELECT pg_snapshot_xmax(pg_current_snapshot())"));
    HotStandbyFeedback feedback;
    feedback.xmin = feedback.catalog_xmin = static_cast<std::uint32_t>(xid);
    feedback.xmin_epoch = feedback.catalog_xmin_epoch = static_cast<std::uint32_t>(xid >> 32);
    return feedback;
  }
  static std::string backend_xmin(const Session& walsender) {
    return "SELECT coalesce(backend_xmin::text, 'none') FROM pg_stat_replication WHERE pid = " +
           std::to_string(walsender.connection.server().process_id);
  }
  static void stream(Session& walsender, Session& sql, const std::string& slot,
                     const std::string& query, const std::vector<Exchange>& exchanges) {
    protocol::StartPhysicalReplication options;
    options.slot = slot;
    options.start = protocol::parse_lsn(sql.value("SELECT pg_current_wal_flush_lsn()")).value();
    bring_wal(sql);
    HotStandby standby(sql, options.start, query, exchanges);
    EXPECT_EQ(test::run(walsender.io, stream_wal(walsender.connection, options, standby)),
              std::nullopt);
    EXPECT_TRUE(standby.enough());
  }
};

TEST_F(LiveHotStandbyFeedback, HoldsTheXminOfTheWalsender) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    Session walsender(target_of(major), Purpose::physical_replication);
    auto xmin = next_xid(sql);
    auto catalog_too = xmin;
    catalog_too.catalog_xmin -= 1;  // without a slot the older one counts for both
    xmin.catalog_xmin = 0;
    stream(walsender, sql, "", backend_xmin(walsender),
           {{xmin, std::to_string(xmin.xmin)},
            {catalog_too, std::to_string(catalog_too.catalog_xmin)},
            {{}, "none"}});
  }
}

TEST_F(LiveHotStandbyFeedback, HoldsBothXminsOfTheSlot) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    Session walsender(target_of(major), Purpose::physical_replication);
    protocol::CreatePhysicalSlot slot;
    slot.slot = "feedback";
    test::run(walsender.io, create_replication_slot(walsender.connection, slot));
    const auto xmins = next_xid(sql);
    auto without_catalog = xmins;
    without_catalog.catalog_xmin = 0;
    const std::string xmin = std::to_string(xmins.xmin);
    stream(walsender, sql, "feedback",
           "SELECT concat_ws(' ', coalesce(xmin::text, 'none'), coalesce(catalog_xmin::text, "
           "'none')) FROM pg_replication_slots WHERE slot_name = 'feedback'",
           {{xmins, xmin + " " + xmin}, {without_catalog, xmin + " none"}, {{}, "none none"}});
    test::run(walsender.io, drop_replication_slot(walsender.connection, "feedback", true));
  }
}

// The server believes no xmin of an epoch that it has not come to.
TEST_F(LiveHotStandbyFeedback, TellsTheEpoch) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    Session walsender(target_of(major), Purpose::physical_replication);
    const auto xmin = next_xid(sql);
    auto of_another_epoch = xmin;
    of_another_epoch.xmin_epoch += 1;
    stream(walsender, sql, "", backend_xmin(walsender),
           {{of_another_epoch, "none", 20}, {xmin, std::to_string(xmin.xmin)}});
  }
}

}  // namespace
}  // namespace pgcourier::replication
