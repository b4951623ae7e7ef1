// What travels inside CopyData while a base backup streams, §55.4: server 15 on.
#pragma once

#include <cstdint>
#include <variant>

#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// The tar file of one tablespace begins.
struct NewArchive {
  ByteView name;        // base.tar, 16384.tar.gz: never a path
  ByteView tablespace;  // its directory; empty: the data directory
};
struct ManifestStart {};  // the archives are complete
struct ArchiveData {
  ByteView data;  // of the archive or the manifest that began last
};
struct BackupProgress {
  std::uint64_t bytes_done = 0;  // of all archives, uncompressed
};

using BackupMessage = std::variant<NewArchive, ManifestStart, ArchiveData, BackupProgress>;

// Takes the whole body of CopyData; views point into it. Throws ProtocolError, also for an
// archive's name that would lead a file elsewhere.
BackupMessage read_backup_message(ByteView copy_data);

}  // namespace pgcourier::protocol
