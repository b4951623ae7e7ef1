#include "protocol/base_backup_command.hpp"

#include <stdexcept>
#include <string_view>

#include "protocol/replication_commands.hpp"

namespace pgcourier::protocol {
namespace {

constexpr int version_15 = 150'000;  // the first with options in parentheses
constexpr int version_17 = 170'000;  // the first with incremental backups

// What both grammars have, if not between the same separators.
class Options {
 public:
  explicit Options(std::string_view separator) : separator_(separator) {}

  void word(std::string_view text) {
    if (!list_.empty()) list_ += separator_;
    list_ += text;
  }
  void text(std::string_view name, std::string_view value) {
    word(name);
    list_ += ' ';
    list_ += quote_literal(value);
  }
  void text_if_given(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void common(const BaseBackup& options) {
    text_if_given("LABEL", options.label);
    if (options.progress) word("PROGRESS");
    if (options.wal) word("WAL");
    if (options.max_rate_kib != 0) word("MAX_RATE " + std::to_string(options.max_rate_kib));
    if (options.tablespace_map) word("TABLESPACE_MAP");
    if (options.manifest == BackupManifest::yes) text("MANIFEST", "yes");
    if (options.manifest == BackupManifest::force_encode) text("MANIFEST", "force-encode");
    text_if_given("MANIFEST_CHECKSUMS", options.manifest_checksums);
  }
  const std::string& list() const { return list_; }

 private:
  std::string_view separator_;
  std::string list_;
};

std::string before_15(const BaseBackup& options) {
  if (!options.target.empty() || !options.target_detail.empty()) {
    throw std::invalid_argument("BASE_BACKUP: TARGET needs PostgreSQL 15");
  }
  if (options.compression) {
    throw std::invalid_argument("BASE_BACKUP: COMPRESSION needs PostgreSQL 15");
  }
  Options words(" ");
  words.common(options);
  if (options.fast_checkpoint) words.word("FAST");
  if (!options.wait) words.word("NOWAIT");
  if (!options.verify_checksums) words.word("NOVERIFY_CHECKSUMS");
  return words.list().empty() ? "BASE_BACKUP" : "BASE_BACKUP " + words.list();
}

}  // namespace

std::string base_backup(const BaseBackup& options, int server_version) {
  if (options.incremental && server_version < version_17) {
    throw std::invalid_argument("BASE_BACKUP: INCREMENTAL needs PostgreSQL 17");
  }
  if (server_version < version_15) return before_15(options);
  Options words(", ");
  words.common(options);
  words.text_if_given("TARGET", options.target);
  words.text_if_given("TARGET_DETAIL", options.target_detail);
  if (options.fast_checkpoint) words.text("CHECKPOINT", "fast");
  if (!options.wait) words.text("WAIT", "false");
  if (!options.verify_checksums) words.text("VERIFY_CHECKSUMS", "false");
  if (options.compression) {
    words.text("COMPRESSION", options.compression->method);
    words.text_if_given("COMPRESSION_DETAIL", options.compression->detail);
  }
  if (options.incremental) words.word("INCREMENTAL");
  return words.list().empty() ? "BASE_BACKUP" : "BASE_BACKUP (" + words.list() + ')';
}

}  // namespace pgcourier::protocol
