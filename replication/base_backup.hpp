// BASE_BACKUP and UPLOAD_MANIFEST on a walsender, §55.4.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/base_backup_command.hpp"
#include "protocol/base_backup_dialogue.hpp"
#include "replication/connection.hpp"
#include "replication/copy.hpp"

namespace pgcourier::replication {

// Takes a backup as it comes, in this order, piece by piece. Views are valid during the call. What
// it throws ends the backup, as with CopySink.
class BackupReceiver {
 public:
  virtual ~BackupReceiver() = default;

  // Start and tablespaces; with `progress`, how much is to come.
  virtual void begin_backup(const protocol::BackupInfo&) {}
  // A tar file, compressed if that was asked for; whole even from a server before 15.
  virtual void begin_archive(const protocol::NewArchive& archive) = 0;
  // If a manifest was asked for; after the archives.
  virtual void begin_manifest() = 0;
  // Of what began last.
  virtual void receive(std::string_view data) = 0;
  // Server 15 on, about once a second.
  virtual void progress(std::uint64_t /*bytes_done*/) {}
};

// Gives where the backup starts and ends in the WAL. Reads no faster than the receiver takes, and
// keeps no more than one message. Throws the server's error as ServerError, the receiver's as it
// is; the connection can be used after both. std::invalid_argument as protocol::base_backup().
asio::awaitable<protocol::BackupInfo> base_backup(Connection& connection,
                                                  const protocol::BaseBackup& options,
                                                  BackupReceiver& receiver);

// The manifest of the backup that an incremental one shall be based on, server 17 on: next on the
// same connection comes base_backup() with `incremental`. Throws as copy_in(), and
// std::invalid_argument as protocol::upload_manifest().
asio::awaitable<void> upload_manifest(Connection& connection, const CopySource& manifest);

}  // namespace pgcourier::replication
