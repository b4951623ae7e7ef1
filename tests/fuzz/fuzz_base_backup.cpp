// A whole answer to BASE_BACKUP: a byte of choices, then framed messages, rows and copy data with
// their real bodies. Each copy data also goes to its reader by itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "protocol/base_backup_dialogue.hpp"
#include "protocol/message_framer.hpp"
#include "protocol/query_messages.hpp"

namespace {

using namespace pgcourier::protocol;

std::optional<Reply> reply_of(const FramedMessage& message,
                              std::vector<std::optional<ByteView>>& values) {
  switch (message.type) {
    case 'T':
      return RowDescription{};
    case 'D':
      read_data_row(message.body, values);
      return DataRow{.values = values};
    case 'C':
      return CommandComplete{};
    case 'H':
      return CopyOutResponse{};
    case 'd':
      return CopyData{.data = message.body};
    case 'c':
      return CopyDone{};
    default:
      return std::nullopt;
  }
}

void read_alone(ByteView body) {
  try {
    const BackupMessage message = read_backup_message(body);
    const auto* archive = std::get_if<NewArchive>(&message);
    if (archive != nullptr && archive->name.find('/') != ByteView::npos) std::abort();
  } catch (const ProtocolError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const bool typed = (input[0] & 1) != 0;
  BaseBackupDialogue backup(typed ? 150'000 : 140'000, (input[0] & 2) != 0);
  input.remove_prefix(1);
  std::vector<std::optional<ByteView>> values;
  try {
    for (;;) {
      const auto framing = frame_message(input, 65'536);
      if (!framing.message) return 0;
      if (framing.message->type == 'd') read_alone(framing.message->body);
      const auto reply = reply_of(*framing.message, values);
      if (!reply) return 0;
      const auto message = backup.on_reply(*reply);
      if (message && backup.info().tablespaces.empty()) std::abort();
      if (backup.complete() && backup.info().end.timeline == 0) std::abort();
      input.remove_prefix(framing.message->size);
    }
  } catch (const ProtocolError&) {
  }
  return 0;
}
