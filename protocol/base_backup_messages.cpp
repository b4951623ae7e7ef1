#include "protocol/base_backup_messages.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::string_view message_name = "base backup";

NewArchive read_new_archive(WireReader& in) {
  NewArchive archive;
  archive.name = in.c_string();
  archive.tablespace = in.c_string();
  const bool a_file = !archive.name.empty() && archive.name.front() != '.' &&
                      archive.name.find_first_of("/\\") == ByteView::npos;
  if (!a_file) in.fail("the archive's name is not one of a file");
  return archive;
}

}  // namespace

BackupMessage read_backup_message(ByteView copy_data) {
  WireReader in(copy_data);
  BackupMessage message;
  switch (in.u8()) {
    case 'n':
      message = read_new_archive(in);
      break;
    case 'm':
      message = ManifestStart{};
      break;
    case 'd':
      message = ArchiveData{.data = in.rest()};
      break;
    case 'p':
      message = BackupProgress{.bytes_done = in.u64()};
      break;
    default:
      in.fail("an unknown type");
  }
  in.finish(message_name);
  return message;
}

}  // namespace pgcourier::protocol
