// A base backup taken from a server of each major starts as a server, §55.4.
#include <gmock/gmock.h>
#include <unistd.h>

#include "protocol/server_error.hpp"
#include "tests/replication/live_backup.hpp"

namespace pgcourier::replication {
namespace {

using test::FolderReceiver;
using test::RestoredServer;
using test::Session;
using testing::ElementsAre;
using testing::HasSubstr;

class LiveBaseBackup : public test::LiveTest {
 protected:
  void fill(Session& sql) {
    sql.query("DROP TABLE IF EXISTS public.backed_up");
    sql.query(
        "CREATE TABLE public.backed_up AS SELECT i, repeat('x', 200) AS text FROM "
        "generate_series(1, 5000) i");
  }
  static protocol::BaseBackup startable() {
    protocol::BaseBackup options;
    options.label = "pgcourier's";
    options.fast_checkpoint = true;
    options.wal = true;
    options.progress = true;
    options.tablespace_map = true;
    options.manifest = protocol::BackupManifest::yes;
    options.manifest_checksums = "SHA256";
    return options;
  }
  static std::string contents(const config::ConnectionTarget& target) {
    return Session(target).value(
        "SELECT concat_ws(' ', count(*), sum(i), max(text)) FROM "
        "public.backed_up");
  }
};

TEST_F(LiveBaseBackup, StartsAsAServer) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    fill(sql);
    const auto folder = test::backup_folder("backup" + std::to_string(major));
    FolderReceiver receiver(folder);
    Session walsender(target_of(major), Purpose::physical_replication);
    const auto info =
        test::run(walsender.io, base_backup(walsender.connection, startable(), receiver));
    EXPECT_GT(info.end.lsn, info.start.lsn);
    EXPECT_EQ(info.end.timeline, 1U);
    ASSERT_EQ(info.tablespaces.size(), 1U);
    EXPECT_GT(info.tablespaces[0].size_kib, 4096U);
    EXPECT_EQ(receiver.begun_with(), 1U);
    EXPECT_THAT(receiver.archives(), ElementsAre("base.tar"));
    EXPECT_EQ(receiver.bytes_done() > 0, major >= 15);
    EXPECT_THAT(receiver.manifest(), HasSubstr("\"Checksum-Algorithm\": \"SHA256\""));
    EXPECT_EQ(test::run(walsender.io, walsender.connection.query("IDENTIFY_SYSTEM")).rows.size(),
              1U);

    RestoredServer restored(major, folder);
    const auto target = restored.target(target_of(major));
    EXPECT_EQ(contents(target), contents(target_of(major)));
    EXPECT_EQ(Session(target).value("SELECT system_identifier FROM pg_control_system()"),
              sql.value("SELECT system_identifier FROM pg_control_system()"));
  }
}

TEST_F(LiveBaseBackup, HasAnArchiveOfEachTablespace) {
  for (const int major : {14, 15, 18}) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    const auto place = test::backup_folder("tablespace" + std::to_string(major));
    if (::geteuid() == 0) {  // then the servers' user is another one
      ASSERT_EQ(std::system(("chown postgres " + place.string()).c_str()), 0);
    }
    sql.query("CREATE TABLESPACE fast LOCATION '" + place.string() + "'");
    sql.query("CREATE TABLE public.elsewhere TABLESPACE fast AS SELECT 42 AS i");
    const std::string oid = sql.value("SELECT oid FROM pg_tablespace WHERE spcname = 'fast'");
    const auto folder = test::backup_folder("spread" + std::to_string(major));
    FolderReceiver receiver(folder);
    Session walsender(target_of(major), Purpose::replication);
    auto options = startable();
    const bool compressed = major >= 15;
    if (compressed) options.compression = {.method = "gzip", .detail = "level=1"};
    const auto info = test::run(walsender.io, base_backup(walsender.connection, options, receiver));
    receiver.manifest();
    ASSERT_EQ(info.tablespaces.size(), 2U);
    EXPECT_EQ(info.tablespaces[0].location, place.string());
    const std::string suffix = compressed ? ".tar.gz" : ".tar";
    EXPECT_THAT(receiver.archives(), ElementsAre(oid + suffix, "base" + suffix));
    {
      RestoredServer restored(major, folder);
      Session copy(restored.target(target_of(major)));
      EXPECT_EQ(copy.value("SELECT i FROM public.elsewhere"), "42");
      EXPECT_THAT(copy.value("SELECT pg_tablespace_location(" + oid + ")"),
                  HasSubstr("tablespace_" + oid));
    }
    sql.query("DROP TABLE public.elsewhere");
    sql.query("DROP TABLESPACE fast");
  }
}

TEST_F(LiveBaseBackup, GoesNowhereIfAskedTo) {
  Session walsender(target(), Purpose::replication);
  FolderReceiver receiver(test::backup_folder("nowhere"));
  protocol::BaseBackup options;
  options.fast_checkpoint = true;
  options.wait = options.verify_checksums = false;
  options.target = "blackhole";
  options.max_rate_kib = 1048576;
  const auto info = test::run(walsender.io, base_backup(walsender.connection, options, receiver));
  EXPECT_THAT(receiver.archives(), ElementsAre("base.tar"));
  EXPECT_EQ(receiver.received(), 0U);
  EXPECT_GT(receiver.bytes_done(), 0U);
  EXPECT_GE(info.end.lsn, info.start.lsn);
}

TEST_F(LiveBaseBackup, LeavesAUsableConnectionBehindAnError) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session walsender(target_of(major), Purpose::replication);
    FolderReceiver receiver(test::backup_folder("refused"));
    protocol::BaseBackup options;
    options.max_rate_kib = 1;
    EXPECT_THROW(test::run(walsender.io, base_backup(walsender.connection, options, receiver)),
                 protocol::ServerError);
    EXPECT_EQ(walsender.value("SELECT 1"), "1");
  }
}

// Debian's 15 was built with both, the others with neither.
TEST_F(LiveBaseBackup, IsCompressedAsTheServerCan) {
  for (const std::string method : {"lz4", "zstd"}) {
    for (const int major : {15, 16, 17, 18}) {
      SCOPED_TRACE(method + " of " + std::to_string(major));
      Session sql(target_of(major));
      fill(sql);
      const auto folder = test::backup_folder(method + std::to_string(major));
      FolderReceiver receiver(folder);
      Session walsender(target_of(major), Purpose::replication);
      auto options = startable();
      options.compression = {.method = method, .detail = "level=1"};
      auto backup = base_backup(walsender.connection, options, receiver);
      if (major == 15) {
        test::run(walsender.io, std::move(backup));
        receiver.manifest();
        EXPECT_THAT(receiver.archives(),
                    ElementsAre(method == "lz4" ? "base.tar.lz4" : "base.tar.zst"));
        RestoredServer restored(major, folder);
        EXPECT_EQ(contents(restored.target(target_of(major))), contents(target_of(major)));
        continue;
      }
      try {
        test::run(walsender.io, std::move(backup));
        ADD_FAILURE() << "it can";
      } catch (const protocol::ServerError& error) {
        EXPECT_THAT(error.what(), HasSubstr("this build does not support compression with"));
      }
      EXPECT_THAT(receiver.archives(), testing::IsEmpty());
      EXPECT_EQ(walsender.value("SELECT 1"), "1");
    }
  }
}

TEST_F(LiveBaseBackup, IsWrittenByTheServerItself) {
  for (const int major : {15, 16, 17, 18}) {
    SCOPED_TRACE(major);
    Session sql(target_of(major));
    fill(sql);
    const auto folder = test::backup_folder("server" + std::to_string(major));
    FolderReceiver receiver(test::backup_folder("elsewhere"));
    Session walsender(target_of(major), Purpose::replication);
    auto options = startable();
    options.target = "server";
    options.target_detail = folder.string();
    test::run(walsender.io, base_backup(walsender.connection, options, receiver));
    EXPECT_EQ(receiver.received(), 0U);
    EXPECT_GT(receiver.bytes_done(), 0U);
    // It stands where it was asked for, and nothing is overwritten.
    EXPECT_THROW(test::run(walsender.io, base_backup(walsender.connection, options, receiver)),
                 protocol::ServerError);
    RestoredServer restored(major, folder);
    EXPECT_EQ(contents(restored.target(target_of(major))), contents(target_of(major)));
  }
}

class Thrower : public FolderReceiver {
 public:
  using FolderReceiver::FolderReceiver;
  void receive(std::string_view) override { throw std::runtime_error("disk full"); }
};

TEST_F(LiveBaseBackup, EndsWithWhatTheReceiverThrows) {
  Session walsender(target(), Purpose::replication);
  Thrower receiver(test::backup_folder("thrown"));
  EXPECT_THROW(test::run(walsender.io, base_backup(walsender.connection, startable(), receiver)),
               std::runtime_error);
  EXPECT_EQ(walsender.value("SELECT 1"), "1");
}

TEST_F(LiveBaseBackup, IsCombinedFromAFullAndAnIncrementalOne) {
  for (const int major : majors) {
    SCOPED_TRACE(major);
    Session walsender(target_of(major), Purpose::replication);
    if (major < 17) {
      EXPECT_THROW(test::run(walsender.io, upload_manifest(walsender.connection, {})),
                   std::invalid_argument);
      EXPECT_THROW(walsender.query("UPLOAD_MANIFEST"), protocol::ServerError);
      continue;
    }
    Session sql(target_of(major));
    fill(sql);
    const auto full = test::backup_folder("full" + std::to_string(major));
    FolderReceiver first(full);
    test::run(walsender.io, base_backup(walsender.connection, startable(), first));
    sql.query("INSERT INTO public.backed_up VALUES (1000000, 'y')");

    const std::string manifest = first.manifest();
    bool given = false;
    test::run(walsender.io,
              upload_manifest(walsender.connection, [&]() -> std::optional<std::string_view> {
                if (std::exchange(given, true)) return std::nullopt;
                return manifest;
              }));
    const auto folder = test::backup_folder("incremental" + std::to_string(major));
    FolderReceiver second(folder);
    auto options = startable();
    options.incremental = true;
    test::run(walsender.io, base_backup(walsender.connection, options, second));
    EXPECT_THAT(second.manifest(), HasSubstr("INCREMENTAL."));
    EXPECT_LT(second.received(), first.received());

    // pg_combinebackup wants the manifests beside the data.
    RestoredServer restored(major, folder,
                            "--combine " + full.string() + " --tools " +
                                test::environment("PGCOURIER_TEST_CLIENTS", major));
    EXPECT_EQ(contents(restored.target(target_of(major))), contents(target_of(major)));
  }
}

}  // namespace
}  // namespace pgcourier::replication
