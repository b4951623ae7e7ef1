// Physical streaming from a server of each major: the WAL received is the server's, and
// pg_receivewal's; timelines are followed, §55.4.
#include <gmock/gmock.h>

#include "protocol/server_error.hpp"
#include "protocol/timeline_history.hpp"
#include "replication/replication_commands.hpp"
#include "replication/wal_stream.hpp"
#include "tests/replication/live_backup.hpp"

namespace pgcourier::replication {
namespace {

using protocol::Lsn;
using protocol::StartPhysicalReplication;
using protocol::TimelinePosition;
using test::RestoredServer;
using test::Session;

constexpr std::uint64_t segment_bytes = 16 * 1024 * 1024;

Lsn segment_start(Lsn lsn) { return {lsn.value - lsn.value % segment_bytes}; }

// Keeps all of it, and has enough at `end`.
class Keeper : public WalReceiver {
 public:
  Keeper(Lsn start, Lsn end) : at_(start), end_(end) {}
  void receive(const protocol::XLogData& wal) override {
    bytes_ += wal.payload;
    at_.value += wal.payload.size();
  }
  WalProgress progress() override { return {.write = at_, .flush = at_, .apply = at_}; }
  std::optional<protocol::HotStandbyFeedback> feedback() override {
    protocol::HotStandbyFeedback feedback;
    feedback.xmin = 7;
    return feedback;
  }
  bool enough() const override { return at_ >= end_; }

  const std::string& bytes() const { return bytes_; }
  Lsn at() const { return at_; }

 private:
  Lsn at_, end_;
  std::string bytes_;
};

constexpr Lsn no_end{~std::uint64_t{0}};

std::string read_file(const std::filesystem::path& path) {
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

class LiveWalStream : public test::LiveTest {
 protected:
  static Lsn lsn(Session& sql, const std::string& expression) {
    return protocol::parse_lsn(sql.value("SELECT " + expression)).value();
  }
  // Fills the segment under way and the next two.
  static Lsn fill_segments(Session& sql) {
    for (int i = 0; i < 3; ++i) {
      sql.query("CREATE TABLE public.wal AS SELECT repeat('x', 100) FROM generate_series(1, 9999)");
      sql.query("DROP TABLE public.wal");
      sql.query("SELECT pg_switch_wal()");
    }
    const Lsn end = segment_start(lsn(sql, "pg_current_wal_flush_lsn()"));
    sql.query("SELECT pg_logical_emit_message(true, 'test', 'pg_receivewal goes past its end')");
    return end;
  }
  // Into `folder`, from the segment after the one that it is made to believe to have.
  static void run_pg_receivewal(int major, Session& sql, const std::filesystem::path& folder,
                                Lsn start, Lsn end) {
    const auto before =
        folder / sql.value("SELECT pg_walfile_name('" + to_string(Lsn{start.value - 1}) + "')");
    std::ofstream(before).close();
    std::filesystem::resize_file(before, segment_bytes);
    const std::string command =
        test::environment("PGCOURIER_TEST_CLIENTS", 18) +
        "/pg_receivewal --no-loop --no-sync -s 1 -h 127.0.0.1 -U postgres -p " +
        std::to_string(target_of(major).hosts[0].port) + " -D " + folder.string() + " -E " +
        to_string(end);
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static std::optional<TimelinePosition> stream(Session& walsender, Keeper& keeper, Lsn start,
                                                std::uint32_t timeline,
                                                const std::string& slot = "") {
    StartPhysicalReplication options;
    options.slot = slot;
    options.start = start;
    options.timeline = timeline;
    return test::run(walsender.io, stream_wal(walsender.connection, options, keeper));
  }
};

TEST_F(LiveWalStream, GivesWhatTheServerAndPgReceivewalWrote) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    Session walsender(target_of(major), Purpose::physical_replication);
    protocol::CreatePhysicalSlot slot;
    slot.slot = "wal";
    slot.reserve_wal = true;
    test::run(walsender.io, create_replication_slot(walsender.connection, slot));
    // The second segment of it all: pg_receivewal believes to have a first one, but never a 0th.
    const Lsn start{segment_start(lsn(sql, "restart_lsn FROM pg_replication_slots")).value +
                    segment_bytes};
    const Lsn end = fill_segments(sql);
    ASSERT_GE(end.value - start.value, 2 * segment_bytes);

    const auto folder = test::backup_folder("wal" + std::to_string(major));
    run_pg_receivewal(major, sql, folder, start, end);

    Keeper keeper(start, end);
    EXPECT_EQ(stream(walsender, keeper, start, 0, "wal"), std::nullopt);
    ASSERT_GE(keeper.at(), end);
    for (Lsn at = start; at < end; at.value += segment_bytes) {
      const std::string name =
          sql.value("SELECT pg_walfile_name('" + to_string(Lsn{at.value + 1}) + "')");
      SCOPED_TRACE(name);
      const auto received = keeper.bytes().substr(at.value - start.value, segment_bytes);
      EXPECT_TRUE(received == read_file(sql.value("SHOW data_directory") + "/pg_wal/" + name));
      EXPECT_TRUE(received == read_file(folder / name));
    }
    // The last status message moved the slot: it came before the end of the stream.
    EXPECT_EQ(sql.value("SELECT restart_lsn >= '" + to_string(end) +
                        "' FROM pg_replication_slots WHERE slot_name = 'wal'"),
              "t");
    test::run(walsender.io, drop_replication_slot(walsender.connection, "wal", true));
    std::filesystem::remove_all(folder);
  }
}

TEST_F(LiveWalStream, ThrowsTheServersRefusalAndGoesOn) {
  Session walsender(target(), Purpose::physical_replication);
  Keeper keeper({}, no_end);
  EXPECT_THROW(stream(walsender, keeper, Lsn{0x7fff'0000'0000'0000}, 0), protocol::ServerError);
  EXPECT_THROW(stream(walsender, keeper, Lsn{segment_bytes}, 7), protocol::ServerError);
  EXPECT_THROW(stream(walsender, keeper, Lsn{segment_bytes}, 0, "no_such"), protocol::ServerError);
  EXPECT_EQ(test::run(walsender.io, identify_system(walsender.connection)).timeline, 1U);
}

TEST_F(LiveWalStream, FollowsThePromotionOfAStandby) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    const auto folder = test::backup_folder("standby" + std::to_string(major));
    test::FolderReceiver receiver(folder);
    protocol::BaseBackup options;
    options.fast_checkpoint = options.wal = true;
    Lsn start;
    {
      Session walsender(target_of(major), Purpose::physical_replication);
      start = segment_start(
          test::run(walsender.io, base_backup(walsender.connection, options, receiver)).start.lsn);
      receiver.manifest();
    }
    RestoredServer standby(major, folder, "--standby");
    const auto target = standby.target(target_of(major));
    Session sql(target);
    ASSERT_EQ(sql.value("SELECT pg_promote(true, 60)"), "t");
    const Lsn end = fill_segments(sql);

    Session walsender(target, Purpose::physical_replication);
    EXPECT_EQ(test::run(walsender.io, identify_system(walsender.connection)).timeline, 2U);
    const auto file = test::run(walsender.io, timeline_history(walsender.connection, 2));
    EXPECT_EQ(file.filename, "00000002.history");
    const auto history = protocol::read_timeline_history(file.content);
    ASSERT_EQ(history.size(), 1U);
    const Lsn switched = history[0].switch_lsn;
    const TimelinePosition next{.lsn = switched, .timeline = 2};

    // To the end of the old one, at its very end, and on.
    Keeper old_timeline(start, no_end);
    EXPECT_EQ(stream(walsender, old_timeline, start, 1), next);
    EXPECT_EQ(old_timeline.at(), switched);
    Keeper nothing(switched, no_end);
    EXPECT_EQ(stream(walsender, nothing, switched, 1), next);
    EXPECT_EQ(nothing.bytes(), "");
    const Lsn from = segment_start(switched);
    Keeper new_timeline(from, end);
    EXPECT_EQ(stream(walsender, new_timeline, from, 2), std::nullopt);
    EXPECT_GE(new_timeline.at(), end);
    const auto common = switched.value - from.value;
    EXPECT_TRUE(new_timeline.bytes().substr(0, common) ==
                old_timeline.bytes().substr(from.value - start.value, common));
    EXPECT_THROW(stream(walsender, nothing, Lsn{switched.value + segment_bytes}, 1),
                 protocol::ServerError);
  }
}

}  // namespace
}  // namespace pgcourier::replication
