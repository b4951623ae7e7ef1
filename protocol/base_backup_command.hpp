// BASE_BACKUP, §55.4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pgcourier::protocol {

enum class BackupManifest {
  none,
  yes,
  force_encode,  // every file name in hexadecimal
};

struct BackupCompression {
  std::string method;  // gzip, lz4, zstd; as far as the server was built with them
  std::string detail;  // a level, or "level=3,workers=2"; empty: the server's default
};

// Empty: the server's default, where not said otherwise. What needs a newer server is asked of
// none.
struct BaseBackup {
  std::string label;
  std::string target;  // client, server or blackhole; server 15 on
  std::string target_detail;
  bool progress = false;                         // with the sizes of the tablespaces
  bool fast_checkpoint = false;                  // now; otherwise spread as the server does
  bool wal = false;                              // the WAL that it needs, so that it can start
  bool wait = true;                              // until that WAL is archived
  std::optional<BackupCompression> compression;  // of the archives, server 15 on
  std::uint32_t max_rate_kib = 0;                // a second, 32 to 1048576; 0: no limit
  bool tablespace_map = false;
  bool verify_checksums = true;
  BackupManifest manifest = BackupManifest::none;
  std::string manifest_checksums;  // NONE, CRC32C, SHA224, SHA256, SHA384, SHA512
  bool incremental = false;        // to the backup of UPLOAD_MANIFEST, server 17 on
};

// Throws std::invalid_argument for what the server's grammar has no words for.
std::string base_backup(const BaseBackup& options, int server_version);

}  // namespace pgcourier::protocol
