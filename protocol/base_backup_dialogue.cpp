#include "protocol/base_backup_dialogue.hpp"

#include <array>
#include <utility>

#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

// The end of a tar file, which servers before 15 leave to us.
constexpr std::array<char, 1024> end_of_archive{};

[[noreturn]] void fail(std::string_view reason) { throw ProtocolError("BASE_BACKUP", reason); }

}  // namespace

std::optional<BackupMessage> BaseBackupDialogue::on_reply(const Reply& reply) {
  if (const auto* piece = std::get_if<CopyData>(&reply)) {
    if (phase_ != Phase::copies) fail("data outside of a copy");
    return on_copy_data(piece->data);
  }
  if (const auto* row = std::get_if<DataRow>(&reply)) {
    on_row(row->values);
  } else if (std::holds_alternative<CommandComplete>(reply)) {
    on_completion();
  } else if (std::holds_alternative<CopyOutResponse>(reply)) {
    return on_copy_start();
  } else if (std::holds_alternative<CopyDone>(reply)) {
    return on_copy_done();
  } else if (std::holds_alternative<RowDescription>(reply)) {
    if (phase_ == Phase::before_copies && archives_ > 0) phase_ = Phase::end;
  } else {
    fail("answered by something else");
  }
  return std::nullopt;
}

void BaseBackupDialogue::on_row(ResultValues row) {
  if (phase_ == Phase::tablespaces) {
    auto tablespace = read_backup_tablespace(row);
    tablespace_bytes_ += sizeof(tablespace) + tablespace.location.size();
    if (tablespace_bytes_ > max_tablespace_bytes) fail("too many tablespaces");
    info_.tablespaces.push_back(std::move(tablespace));
  } else if ((phase_ == Phase::start || phase_ == Phase::end) && !got_row_) {
    (phase_ == Phase::start ? info_.start : info_.end) = read_backup_position(row);
  } else {
    fail("a row too many");
  }
  got_row_ = true;
}

void BaseBackupDialogue::on_completion() {
  if (phase_ == Phase::complete) return;  // of the command, after that of its last result
  if (!std::exchange(got_row_, false)) fail("a result without a row");
  if (phase_ == Phase::start) {
    phase_ = Phase::tablespaces;
  } else if (phase_ == Phase::tablespaces) {
    phase_ = Phase::before_copies;
  } else {
    if (archives_ != info_.tablespaces.size()) fail("the backup ended before its last archive");
    if (manifest_begun_ != with_manifest_) fail("the backup ended without its manifest");
    phase_ = Phase::complete;
  }
}

std::optional<BackupMessage> BaseBackupDialogue::on_copy_start() {
  if (phase_ != Phase::before_copies || (typed_ && archives_ > 0)) fail("a copy out of turn");
  phase_ = Phase::copies;
  if (typed_) return std::nullopt;
  if (archives_ == info_.tablespaces.size()) return begin_manifest();
  const BackupTablespace& tablespace = info_.tablespaces[archives_];
  archive_name_ = (tablespace.oid == 0 ? "base" : std::to_string(tablespace.oid)) + ".tar";
  return begin_archive({.name = archive_name_, .tablespace = tablespace.location});
}

std::optional<BackupMessage> BaseBackupDialogue::on_copy_done() {
  if (phase_ != Phase::copies) fail("the end of a copy out of turn");
  if (archives_ == 0) fail("a copy without an archive");
  phase_ = Phase::before_copies;
  if (typed_ || manifest_begun_) return std::nullopt;
  return ArchiveData{.data = {end_of_archive.data(), end_of_archive.size()}};
}

BackupMessage BaseBackupDialogue::on_copy_data(ByteView data) {
  if (!typed_) return ArchiveData{.data = data};
  BackupMessage message = read_backup_message(data);
  if (const auto* archive = std::get_if<NewArchive>(&message)) return begin_archive(*archive);
  if (std::holds_alternative<ManifestStart>(message)) return begin_manifest();
  if (archives_ == 0) fail("data before the first archive");
  return message;
}

BackupMessage BaseBackupDialogue::begin_archive(NewArchive archive) {
  if (archives_ == info_.tablespaces.size() || manifest_begun_) fail("an archive too many");
  if (archive.tablespace != info_.tablespaces[archives_].location) {
    fail("an archive of another tablespace than announced");
  }
  ++archives_;
  return archive;
}

BackupMessage BaseBackupDialogue::begin_manifest() {
  if (archives_ != info_.tablespaces.size()) fail("the manifest before the last archive");
  if (!with_manifest_ || std::exchange(manifest_begun_, true)) fail("a manifest too many");
  return ManifestStart{};
}

}  // namespace pgcourier::protocol
