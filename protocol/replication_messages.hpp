// What travels inside CopyData while replication streams, §55.4. The readers are inline: one call a
// change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/lsn.hpp"
#include "protocol/pg_time.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// Type bytes, the first of each CopyData's body.
constexpr char xlog_data_type = 'w';
constexpr char primary_keepalive_type = 'k';

struct XLogData {
  static constexpr std::string_view name = "XLogData";
  // 0/0 unless it is the last write for that position: progress comes from Begin and Commit.
  Lsn start;
  Lsn end;  // of WAL on the server, as far as logical decoding has come
  PgTime server_time;
  ByteView payload;
};

struct PrimaryKeepalive {
  static constexpr std::string_view name = "PrimaryKeepalive";
  Lsn end;
  PgTime server_time;
  bool reply_requested = false;
};

// Both take the whole body of CopyData, type byte included; the payload points into it. Throw
// ProtocolError.
inline XLogData read_xlog_data(ByteView copy_data) {
  WireReader in(copy_data);
  if (in.u8() != static_cast<std::uint8_t>(xlog_data_type)) in.fail("expected the type 'w'");
  XLogData message;
  message.start = in.lsn();
  message.end = in.lsn();
  message.server_time = in.time();
  message.payload = in.rest();
  in.finish(XLogData::name);
  return message;
}

inline PrimaryKeepalive read_primary_keepalive(ByteView copy_data) {
  WireReader in(copy_data);
  if (in.u8() != static_cast<std::uint8_t>(primary_keepalive_type))
    in.fail("expected the type 'k'");
  PrimaryKeepalive message;
  message.end = in.lsn();
  message.server_time = in.time();
  const auto reply = in.u8();
  if (reply > 1) in.fail("reply requested must be 0 or 1");
  message.reply_requested = reply != 0;
  in.finish(PrimaryKeepalive::name);
  return message;
}

// Positions are the first byte *after* what is written, flushed, applied.
struct StandbyStatusUpdate {
  Lsn write;
  Lsn flush;  // what the slot may forget; 0/0 changes nothing
  Lsn apply;
  PgTime client_time;
  bool reply_requested = false;
};

struct HotStandbyFeedback {
  PgTime client_time;
  std::uint32_t xmin = 0;
  std::uint32_t xmin_epoch = 0;
  std::uint32_t catalog_xmin = 0;
  std::uint32_t catalog_xmin_epoch = 0;
};

// What one CopyData message carries.
std::string standby_status_update(const StandbyStatusUpdate& status);
std::string hot_standby_feedback(const HotStandbyFeedback& feedback);

}  // namespace pgcourier::protocol
