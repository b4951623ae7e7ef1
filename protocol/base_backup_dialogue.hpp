// What a server answers to BASE_BACKUP, §55.4, without the socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base_backup_messages.hpp"
#include "protocol/query_dialogue.hpp"
#include "protocol/replication_results.hpp"

namespace pgcourier::protocol {

// A path has up to 1 kB, so this is room for thousands; a stranger shall not fill our memory.
constexpr std::size_t max_tablespace_bytes = 8 * 1024 * 1024;

struct BackupInfo {
  TimelinePosition start;
  std::vector<BackupTablespace> tablespaces;  // in the order of their archives
  TimelinePosition end;                       // 0/0 until the backup is complete
};

// Takes the replies in order. A server before 15 sends a COPY for each archive and one for the
// manifest, without a word between; here they look as those of later servers do.
class BaseBackupDialogue {
 public:
  BaseBackupDialogue(int server_version, bool with_manifest)
      : typed_(server_version >= 150'000), with_manifest_(with_manifest) {}

  // Any reply but ErrorResponse and ReadyForQuery. Nothing: only info() has changed, if anything.
  // Views live as long as those in the reply, and a name until the next call. Throws ProtocolError.
  std::optional<BackupMessage> on_reply(const Reply& reply);

  // Start and tablespaces are known before the first message is given.
  const BackupInfo& info() const { return info_; }
  // All came that was announced.
  bool complete() const { return phase_ == Phase::complete; }

 private:
  enum class Phase : std::uint8_t { start, tablespaces, before_copies, copies, end, complete };

  void on_row(ResultValues row);
  void on_completion();
  std::optional<BackupMessage> on_copy_start();
  std::optional<BackupMessage> on_copy_done();
  BackupMessage on_copy_data(ByteView data);
  BackupMessage begin_archive(NewArchive archive);
  BackupMessage begin_manifest();

  bool typed_;
  bool with_manifest_;
  Phase phase_ = Phase::start;
  bool got_row_ = false;  // the result under way needs one
  BackupInfo info_;
  std::size_t tablespace_bytes_ = 0;  // what they take
  std::size_t archives_ = 0;          // begun
  bool manifest_begun_ = false;
  std::string archive_name_;  // made up for an old server
};

}  // namespace pgcourier::protocol
