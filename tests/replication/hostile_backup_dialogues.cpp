// Base backups.
#include "replication/base_backup.hpp"
#include "tests/replication/hostile_dialogue.hpp"
#include "tests/replication/walsender_messages.hpp"

namespace pgcourier::replication::test {
namespace {

struct Receiver : BackupReceiver {
  void begin_archive(const protocol::NewArchive& archive) override { got += archive.name; }
  void begin_manifest() override { got += "manifest"; }
  void receive(std::string_view data) override { got += data; }
  void progress(std::uint64_t bytes_done) override { got += std::to_string(bytes_done); }

  std::string got;
};

asio::awaitable<void> back_up(Connection& connection) {
  Receiver receiver;
  protocol::BaseBackup options;
  options.progress = true;
  options.manifest = protocol::BackupManifest::yes;
  static_cast<void>(co_await base_backup(connection, options, receiver));
}

asio::awaitable<void> upload(Connection& connection) {
  int pieces = 0;
  const CopySource manifest = [&]() -> std::optional<std::string_view> {
    return ++pieces > 2 ? std::nullopt : std::optional<std::string_view>("{}");
  };
  co_await upload_manifest(connection, manifest);
}

// Start, the data directory as the only tablespace; at the end where it ends, and the command's
// own completion.
const std::string good_backup_start = good_start + "T D C T D C ";
const std::string good_backup_end = "T D (C )+Z ";

}  // namespace

std::vector<Dialogue> backup_dialogues() {
  const std::string begun = welcome();
  const std::string begun_14 = welcome("14.9");
  const std::string begun_17 = welcome("17.2");
  const std::size_t opened = split_messages(begun).size();
  const std::string begin = result({"0/2000028", "1"}) + no_tablespaces() + copy_out_response();
  const std::string end = result({"0/2000100", "1"}) + command_complete("BASE_BACKUP");
  const Turn unanswered = answer("");
  return {
      // Whether bytes of an archive are missing only its reader can see.
      {.name = "BASE BACKUP",
       .turns = {start(begun),
                 answer(begin + copy_data("nbase.tar\0\0"s) + copy_data("dsome") +
                        copy_data("p\0\0\0\0\0\0\0\3"s) + copy_data("dmore") + copy_data("m") +
                        copy_data("d{}") + copy_done() + end + ready_for_query())},
       .act = back_up,
       .good = good_backup_start + "H (dp )*dn (dd |dp )*dm (dd |dp )*c " + good_backup_end,
       .any_body = {"dd"},
       .purpose = Purpose::physical_replication,
       .spoiled_from = opened},
      {.name = "BASE BACKUP before 15",
       .turns = {start(begun_14), answer(begin + copy_data("tar") + copy_data("tar") + copy_done() +
                                         copy_out_response() + copy_data("{}") + copy_done() + end +
                                         ready_for_query())},
       .act = back_up,
       .good = good_backup_start + "H (d.? )*c H (d.? )*c " + good_backup_end,
       .any_body = {"d", "dt", "d{"},
       .purpose = Purpose::physical_replication,
       .spoiled_from = opened},
      {.name = "UPLOAD MANIFEST",
       .turns = {start(begun_17), answer(message('G', "\0\0\0"s)), unanswered, unanswered,
                 answer(command_complete("UPLOAD_MANIFEST") + ready_for_query())},
       .act = upload,
       .good = good_start + "(C )*G (C )+Z ",
       .purpose = Purpose::physical_replication,
       .spoiled_from = opened},
  };
}

}  // namespace pgcourier::replication::test
