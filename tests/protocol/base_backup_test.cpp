// BASE_BACKUP: the command, its messages, and in which order they may come, §55.4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "protocol/base_backup_command.hpp"
#include "protocol/base_backup_dialogue.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using namespace std::string_literals;

using testing::ElementsAre;
using tests::expect_strict;
using tests::from_hex;

BaseBackup everything() {
  BaseBackup options;
  options.label = "it's";
  options.progress = options.wal = options.fast_checkpoint = options.tablespace_map = true;
  options.wait = options.verify_checksums = false;
  options.max_rate_kib = 1024;
  options.manifest = BackupManifest::force_encode;
  options.manifest_checksums = "SHA256";
  return options;
}

TEST(BaseBackup, MentionsOnlyWhatIsAsked) {
  for (const int version : {140'000, 150'000, 180'000}) {
    EXPECT_EQ(base_backup({}, version), "BASE_BACKUP") << version;
  }
  EXPECT_EQ(base_backup({.manifest = BackupManifest::yes}, 150'000),
            "BASE_BACKUP (MANIFEST 'yes')");
}

TEST(BaseBackup, UsesParenthesesFrom15On) {
  BaseBackup options = everything();
  options.target = "client";
  options.compression = {.method = "gzip", .detail = "level=3"};
  options.incremental = true;
  EXPECT_EQ(base_backup(options, 170'000),
            "BASE_BACKUP (LABEL 'it''s', PROGRESS, WAL, MAX_RATE 1024, TABLESPACE_MAP, "
            "MANIFEST 'force-encode', MANIFEST_CHECKSUMS 'SHA256', TARGET 'client', "
            "CHECKPOINT 'fast', WAIT 'false', VERIFY_CHECKSUMS 'false', COMPRESSION 'gzip', "
            "COMPRESSION_DETAIL 'level=3', INCREMENTAL)");
}

TEST(BaseBackup, UsesWordsBefore15) {
  EXPECT_EQ(base_backup(everything(), 140'010),
            "BASE_BACKUP LABEL 'it''s' PROGRESS WAL MAX_RATE 1024 TABLESPACE_MAP MANIFEST "
            "'force-encode' MANIFEST_CHECKSUMS 'SHA256' FAST NOWAIT NOVERIFY_CHECKSUMS");
}

TEST(BaseBackup, RefusesWhatTheServerHasNoWordsFor) {
  EXPECT_THROW(base_backup({.target = "client"}, 140'010), std::invalid_argument);
  EXPECT_THROW(base_backup({.target_detail = "/x"}, 140'010), std::invalid_argument);
  EXPECT_THROW(base_backup({.compression = BackupCompression{.method = "gzip"}}, 140'010),
               std::invalid_argument);
  EXPECT_THROW(base_backup({.incremental = true}, 160'000), std::invalid_argument);
  EXPECT_THROW(base_backup({.label = "a\0b"s}, 180'000), std::invalid_argument);
}

TEST(BackupMessage, AnnouncesAnArchive) {
  const std::string bytes = "n16384.tar.gz\0/srv/fast\0"s;
  const auto archive = std::get<NewArchive>(read_backup_message(bytes));
  EXPECT_EQ(archive.name, "16384.tar.gz");
  EXPECT_EQ(archive.tablespace, "/srv/fast");
  EXPECT_EQ(std::get<NewArchive>(read_backup_message("nbase.tar\0\0"s)).tablespace, "");
  expect_strict(bytes, read_backup_message);
}

TEST(BackupMessage, RefusesAnArchiveThatIsAPath) {
  for (const auto& name : {""s, "."s, "../x"s, ".hidden"s, "/etc/passwd"s, "a/b.tar"s, "a\\b"s}) {
    EXPECT_THROW(read_backup_message("n"s + name + "\0\0"s), ProtocolError) << name;
  }
}

TEST(BackupMessage, CarriesDataOfAnyLength) {
  EXPECT_EQ(std::get<ArchiveData>(read_backup_message("d\0x"s)).data, "\0x"s);
  EXPECT_EQ(std::get<ArchiveData>(read_backup_message("d")).data, "");
}

TEST(BackupMessage, ReportsProgress) {
  const std::string bytes = from_hex("70 0000000100000002");
  EXPECT_EQ(std::get<BackupProgress>(read_backup_message(bytes)).bytes_done, 0x100000002U);
  expect_strict(bytes, read_backup_message);
  expect_strict("m", read_backup_message);
}

TEST(BackupMessage, RefusesOtherTypes) {
  for (int type = 0; type < 256; ++type) {
    const char byte = static_cast<char>(type);
    if ("nmdp"s.find(byte) != std::string::npos) continue;
    EXPECT_THROW(read_backup_message(std::string(1, byte)), ProtocolError) << type;
  }
}

// Plays a server's replies and keeps what comes out, a word each.
struct Backup {
  BaseBackupDialogue dialogue;
  std::vector<std::string> got;

  explicit Backup(int version, bool manifest = true) : dialogue(version, manifest) {}
  Backup& take(const Reply& reply) {
    const auto message = dialogue.on_reply(reply);
    if (!message) return *this;
    if (const auto* archive = std::get_if<NewArchive>(&*message)) {
      got.push_back("archive " + std::string(archive->name) + " of " +
                    std::string(archive->tablespace));
    } else if (const auto* piece = std::get_if<ArchiveData>(&*message)) {
      const bool zeros = piece->data == std::string(1024, '\0');
      got.push_back(zeros ? "end of archive" : "data " + std::string(piece->data));
    } else if (const auto* progress = std::get_if<BackupProgress>(&*message)) {
      got.push_back("progress " + std::to_string(progress->bytes_done));
    } else {
      got.emplace_back("manifest");
    }
    return *this;
  }
  Backup& result(const std::vector<std::vector<std::optional<ByteView>>>& rows) {
    take(RowDescription{});
    for (const auto& row : rows) take(DataRow{.values = row});
    return take(CommandComplete{.tag = "SELECT"});
  }
  Backup& begin() {
    result({{"0/2000028", "1"}});
    return result({{"16384", "/fast", "8"}, {std::nullopt, std::nullopt, "4096"}});
  }
  Backup& end() { return result({{"0/2000100", "1"}}).take(CommandComplete{.tag = "BASE_BACKUP"}); }
  Backup& data(ByteView data) { return take(CopyData{.data = data}); }
};

TEST(BaseBackupDialogue, GivesArchivesAndManifest) {
  Backup backup(150'000);
  backup.begin();
  EXPECT_EQ(backup.dialogue.info().start, (TimelinePosition{.lsn = {0x2000028}, .timeline = 1}));
  ASSERT_EQ(backup.dialogue.info().tablespaces.size(), 2U);
  EXPECT_EQ(backup.dialogue.info().tablespaces[0].oid, 16384U);
  const std::string progress = from_hex("70 0000000000000007");
  backup.take(CopyOutResponse{}).data("n16384.tar\0/fast\0"s).data("dab").data("dc");
  backup.data("nbase.tar\0\0"s).data("dd").data(progress).data("m").data("d{}").take(CopyDone{});
  EXPECT_FALSE(backup.dialogue.complete());
  backup.end();
  EXPECT_THAT(backup.got,
              ElementsAre("archive 16384.tar of /fast", "data ab", "data c", "archive base.tar of ",
                          "data d", "progress 7", "manifest", "data {}"));
  EXPECT_EQ(backup.dialogue.info().end, (TimelinePosition{.lsn = {0x2000100}, .timeline = 1}));
  EXPECT_TRUE(backup.dialogue.complete());
}

TEST(BaseBackupDialogue, GivesTheSameOfAnOldServersCopies) {
  Backup backup(140'000);
  backup.begin();
  backup.take(CopyOutResponse{}).data("ab").data("mc").take(CopyDone{});
  backup.take(CopyOutResponse{}).data("d").take(CopyDone{});
  backup.take(CopyOutResponse{}).data("{}").take(CopyDone{});
  backup.end();
  EXPECT_THAT(backup.got, ElementsAre("archive 16384.tar of /fast", "data ab", "data mc",
                                      "end of archive", "archive base.tar of ", "data d",
                                      "end of archive", "manifest", "data {}"));
  EXPECT_TRUE(backup.dialogue.complete());
}

TEST(BaseBackupDialogue, EndsWhereTablespacesHaveNoEnd) {
  const std::string path(1'000, 'x');
  const std::vector<std::optional<ByteView>> row{"16384", path, std::nullopt};
  const std::vector<std::optional<ByteView>> nulls{std::nullopt, std::nullopt, std::nullopt};
  for (const auto& tablespace : {row, nulls}) {
    Backup backup(150'000);
    backup.result({{"0/2000028", "1"}}).take(RowDescription{});
    std::size_t taken = 0;
    EXPECT_THROW(
        {
          for (; taken < 1'000'000; ++taken) backup.take(DataRow{.values = tablespace});
        },
        ProtocolError);
    EXPECT_GT(taken, 5'000U);
    EXPECT_LT(taken, 200'000U);
  }
}

TEST(BaseBackupDialogue, RefusesAnythingOutOfTurn) {
  const auto streaming = [](bool manifest = true) {
    Backup backup(150'000, manifest);
    backup.begin().take(CopyOutResponse{});
    return backup;
  };
  EXPECT_THROW(Backup(150'000).take(CopyOutResponse{}), ProtocolError);
  EXPECT_THROW(Backup(150'000).data("d"), ProtocolError);
  EXPECT_THROW(Backup(150'000).take(CopyDone{}), ProtocolError);
  EXPECT_THROW(Backup(150'000).take(CommandComplete{}), ProtocolError);
  EXPECT_THROW(Backup(150'000).take(PortalSuspended{}), ProtocolError);
  EXPECT_THROW(Backup(150'000).result({{"0/1", "1"}, {"0/1", "1"}}), ProtocolError);
  EXPECT_THROW(Backup(150'000).begin().take(CopyOutResponse{}).take(CopyOutResponse{}),
               ProtocolError);
  EXPECT_THROW(Backup(150'000).begin().end(), ProtocolError);
  EXPECT_THROW(streaming().data("dx"), ProtocolError);
  EXPECT_THROW(streaming().data("m"), ProtocolError);
  EXPECT_THROW(streaming().take(CopyDone{}), ProtocolError);
  EXPECT_THROW(streaming().data("nbase.tar\0\0"s), ProtocolError);
  const auto one = [&](bool manifest = true) {
    return streaming(manifest).data("n16384.tar\0/fast\0"s);
  };
  EXPECT_THROW(one().take(CopyDone{}).end(), ProtocolError);
  const auto both = [&](bool manifest = true) { return one(manifest).data("nbase.tar\0\0"s); };
  EXPECT_NO_THROW(both(false).take(CopyDone{}).end());
  EXPECT_THROW(both(false).data("m"), ProtocolError);
  EXPECT_THROW(both().take(CopyDone{}).end(), ProtocolError);
  EXPECT_THROW(both().data("m").data("m"), ProtocolError);
  EXPECT_THROW(both().data("nbase.tar\0\0"s), ProtocolError);
  EXPECT_THROW(both().data("m").take(CopyDone{}).take(CopyOutResponse{}), ProtocolError);
}

}  // namespace
}  // namespace pgcourier::protocol
