#include "replication/base_backup.hpp"

#include <optional>
#include <utility>
#include <variant>

#include "protocol/replication_commands.hpp"
#include "protocol/server_error.hpp"

namespace pgcourier::replication {
namespace {

void give(BackupReceiver& receiver, const protocol::BackupMessage& message) {
  if (const auto* piece = std::get_if<protocol::ArchiveData>(&message)) {
    receiver.receive(piece->data);
  } else if (const auto* archive = std::get_if<protocol::NewArchive>(&message)) {
    receiver.begin_archive(*archive);
  } else if (const auto* progress = std::get_if<protocol::BackupProgress>(&message)) {
    receiver.progress(progress->bytes_done);
  } else {
    receiver.begin_manifest();
  }
}

}  // namespace

asio::awaitable<protocol::BackupInfo> base_backup(Connection& connection,
                                                  const protocol::BaseBackup& options,
                                                  BackupReceiver& receiver) {
  const int version = connection.server_version();
  protocol::Requests requests;
  requests.query(protocol::base_backup(options, version));
  protocol::BaseBackupDialogue backup(version, options.manifest != protocol::BackupManifest::none);
  co_await connection.finish();
  connection.send(requests);
  bool begun = false;
  std::optional<protocol::ServerFields> error;
  while (!connection.dialogue().idle()) {
    protocol::Reply reply = co_await connection.next_reply();
    if (auto* refusal = std::get_if<protocol::ErrorResponse>(&reply)) {
      if (!error) error = std::move(refusal->fields);
      continue;
    }
    if (std::holds_alternative<protocol::ReadyForQuery>(reply)) continue;
    const auto message = backup.on_reply(reply);
    if (std::holds_alternative<protocol::CopyOutResponse>(reply) && !std::exchange(begun, true)) {
      receiver.begin_backup(backup.info());
    }
    if (message) give(receiver, *message);
  }
  if (error) throw protocol::ServerError(std::move(*error));
  if (!backup.complete()) throw protocol::ProtocolError("BASE_BACKUP", "ended before its end");
  co_return backup.info();
}

asio::awaitable<void> upload_manifest(Connection& connection, const CopySource& manifest) {
  protocol::Requests requests;
  requests.query(protocol::upload_manifest(connection.server_version()));
  co_await copy_in(connection, requests, manifest);
}

}  // namespace pgcourier::replication
