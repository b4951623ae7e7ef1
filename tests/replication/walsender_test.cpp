// Replication commands, physical streaming and base backups against a scripted server, §55.4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replication/base_backup.hpp"
#include "replication/replication_commands.hpp"
#include "replication/wal_stream.hpp"
#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/walsender_messages.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using protocol::Lsn;
using protocol::TimelinePosition;
using test::copy_done;
using test::copy_out_response;
using test::keepalive;
using test::Peer;
using test::result;
using test::row;
using test::ScriptedServer;
using test::wal;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct Client {
  asio::io_context io;
  Connection connection{io, 64 * 1024 * 1024};

  explicit Client(const ScriptedServer& server) {
    test::run(io, connection.open(server.target(), Purpose::physical_replication, {}));
  }
};

// A walsender that answers one command.
ScriptedServer::Script answering(std::string command, std::string answer) {
  return [command, answer](Peer& peer) {
    peer.accept_session();
    EXPECT_EQ(peer.read_message(), "Q" + command + '\0');
    peer.send(answer);
    peer.read(1);
  };
}

TEST(ReplicationCommandCalls, TakeOneRowOnly) {
  const std::string two_rows = row({"1", "1", "0/1", "d"}) + test::message('D', "\0\1\0\0\0\1x"s) +
                               test::command_complete("C") + test::ready_for_query();
  for (const auto& answer : {test::command_complete("C") + test::ready_for_query(), two_rows,
                             result({"1"}) + test::ready_for_query()}) {
    ScriptedServer server({answering("IDENTIFY_SYSTEM", answer)});
    Client client(server);
    EXPECT_THROW(test::run(client.io, identify_system(client.connection)), protocol::ProtocolError);
  }
}

struct Receiver : WalReceiver {
  std::string bytes;
  WalProgress told;
  std::size_t most = 1'000'000;

  void receive(const protocol::XLogData& wal) override {
    bytes += wal.payload;
    told.write = {wal.start.value + wal.payload.size()};
  }
  WalProgress progress() override { return told; }
  bool enough() const override { return bytes.size() >= most; }
};

std::optional<TimelinePosition> stream(Client& client, Receiver& receiver) {
  protocol::StartPhysicalReplication options;
  options.start = {0x1000000};
  options.timeline = 1;
  return test::run(client.io, stream_wal(client.connection, options, receiver));
}

constexpr auto start_command = "START_REPLICATION PHYSICAL 0/1000000 TIMELINE 1";

TEST(WalStream, TellsItsProgressWhenItChangedAndWhenAsked) {
  std::vector<std::string> told;
  ScriptedServer server({[&](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(test::copy_both_response() + keepalive(false) + wal(0x1000000, "ab"));
    told.push_back(peer.read_message());
    peer.send(keepalive(false) + keepalive(true));
    told.push_back(peer.read_message());
    peer.send(wal(0x1000002, "c"));
    told.push_back(peer.read_message());
    told.push_back(peer.read_message());
    peer.send(wal(0x1000003, "too late") + copy_done() + test::command_complete("COPY 0") +
              test::ready_for_query());
    peer.read(1);
  }});
  {
    Client client(server);
    Receiver receiver;
    receiver.most = 3;
    EXPECT_EQ(stream(client, receiver), std::nullopt);
    EXPECT_EQ(receiver.bytes, "abc");
  }
  const std::string after_two = "\0\0\0\0\1\0\0\2"s;
  ASSERT_THAT(told, SizeIs(4));
  EXPECT_THAT(told[0], StartsWith("dr" + after_two));
  EXPECT_THAT(told[1], StartsWith("dr" + after_two));
  EXPECT_THAT(told[2], StartsWith("dr\0\0\0\0\1\0\0\3"s));
  EXPECT_EQ(told[3], "c");
}

TEST(WalStream, GivesTheNextTimeline) {
  ScriptedServer server({[&](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(test::copy_both_response() + wal(0x1000000, "ab") + copy_done());
    EXPECT_THAT(peer.read_message(), StartsWith("dr"));
    EXPECT_EQ(peer.read_message(), "c");
    peer.send(result({"2", "0/1000002"}) + test::ready_for_query());
    peer.read(1);
  }});
  Client client(server);
  Receiver receiver;
  EXPECT_EQ(stream(client, receiver), (TimelinePosition{.lsn = {0x1000002}, .timeline = 2}));
  EXPECT_EQ(receiver.bytes, "ab");
}

TEST(WalStream, RefusesWhatIsNotTheStreamItAskedFor) {
  const std::string both = test::copy_both_response();
  for (const auto& answer :
       {both + wal(0x1000001, "x"), both + wal(0x1000000, "x") + wal(0x1000000, "x"),
        both + test::copy_data(""), both + test::copy_data("x"), copy_out_response(),
        result({"0", "0/1"}), result({"2"})}) {
    ScriptedServer server({answering(start_command, answer)});
    Client client(server);
    Receiver receiver;
    EXPECT_THROW(stream(client, receiver), protocol::ProtocolError);
  }
}

TEST(WalStream, ThrowsTheServersErrorAndTakesCommandsAfterIt) {
  const std::string error = test::error_response("ERROR", "58P01") + test::ready_for_query();
  for (const auto& before : {""s, test::copy_both_response() + wal(0x1000000, "ab")}) {
    ScriptedServer server({answering(start_command, before + error)});
    Client client(server);
    Receiver receiver;
    EXPECT_THROW(stream(client, receiver), protocol::ServerError);
    EXPECT_TRUE(client.connection.dialogue().idle());
  }
}

struct Archives : BackupReceiver {
  std::vector<std::string> got;

  void begin_backup(const protocol::BackupInfo& info) override {
    got.push_back("backup " + to_string(info.start.lsn));
  }
  void begin_archive(const protocol::NewArchive& archive) override {
    got.emplace_back(archive.name);
  }
  void begin_manifest() override { got.emplace_back("manifest"); }
  void receive(std::string_view data) override {
    if (data == "throw") throw std::runtime_error("no room");
    got.emplace_back(data);
  }
  void progress(std::uint64_t bytes_done) override { got.push_back(std::to_string(bytes_done)); }
};

// welcome() says that it is a 15.
const std::string backup_start =
    result({"0/2000028", "1"}) + test::no_tablespaces() + copy_out_response();

protocol::BackupInfo backup(Client& client, Archives& archives) {
  protocol::BaseBackup options;
  options.manifest = protocol::BackupManifest::yes;
  return test::run(client.io, base_backup(client.connection, options, archives));
}

constexpr auto backup_command = "BASE_BACKUP (MANIFEST 'yes')";

TEST(BaseBackupCall, HandsOutWhatComes) {
  const std::string answer = backup_start + test::copy_data("nbase.tar\0\0"s) +
                             test::copy_data("dtar") + test::copy_data("p\0\0\0\0\0\0\0\3"s) +
                             test::copy_data("m") + test::copy_data("d{}") + copy_done() +
                             result({"0/2000100", "1"}) + test::command_complete("BASE_BACKUP") +
                             test::ready_for_query();
  ScriptedServer server({answering(backup_command, answer)});
  Client client(server);
  Archives archives;
  const auto info = backup(client, archives);
  EXPECT_EQ(info.end, (TimelinePosition{.lsn = {0x2000100}, .timeline = 1}));
  EXPECT_THAT(archives.got,
              ElementsAre("backup 0/2000028", "base.tar", "tar", "3", "manifest", "{}"));
}

TEST(BaseBackupCall, ThrowsTheServersErrorWheneverItComes) {
  const std::string error = test::error_response("ERROR", "58030") + test::ready_for_query();
  for (const auto& before :
       {""s, result({"0/2000028", "1"}), backup_start,
        backup_start + test::copy_data("nbase.tar\0\0"s) + test::copy_data("dtar")}) {
    ScriptedServer server({answering(backup_command, before + error)});
    Client client(server);
    Archives archives;
    EXPECT_THROW(backup(client, archives), protocol::ServerError);
    EXPECT_TRUE(client.connection.dialogue().idle());
  }
}

TEST(BaseBackupCall, IsNotCompleteWithoutItsEnd) {
  for (const auto& answer : {test::command_complete("BASE_BACKUP"), result({"0/2000028", "1"})}) {
    ScriptedServer server({answering(backup_command, answer + test::ready_for_query())});
    Client client(server);
    Archives archives;
    EXPECT_THROW(backup(client, archives), protocol::ProtocolError);
  }
}

TEST(BaseBackupCall, EndsWithWhatTheReceiverThrows) {
  const std::string answer = backup_start + test::copy_data("nbase.tar\0\0"s) +
                             test::copy_data("dthrow") + test::copy_data("drest") +
                             test::error_response("ERROR", "57014") + test::ready_for_query();
  ScriptedServer server({[&](Peer& peer) {
    peer.accept_session();
    peer.read_message();
    peer.send(answer);
    EXPECT_EQ(peer.read_message(), "QSHOW \"x\"\0"s);
    peer.send(result({"on"}) + test::ready_for_query());
    peer.read(1);
  }});
  Client client(server);
  Archives archives;
  EXPECT_THROW(backup(client, archives), std::runtime_error);
  EXPECT_EQ(test::run(client.io, show(client.connection, "x")), "on");
}

TEST(UploadManifest, NeedsPostgresql17) {
  ScriptedServer server({[](Peer& peer) {
    peer.accept_session();
    peer.read(1);
  }});
  Client client(server);
  EXPECT_THROW(test::run(client.io, upload_manifest(client.connection, {})), std::invalid_argument);
}

}  // namespace
}  // namespace pgcourier::replication
