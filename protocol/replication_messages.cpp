#include "protocol/replication_messages.hpp"

#include "protocol/wire_writer.hpp"

namespace pgcourier::protocol {

std::string standby_status_update(const StandbyStatusUpdate& status) {
  std::string out;
  WireWriter writer(out);
  writer.u8('r');
  writer.lsn(status.write);
  writer.lsn(status.flush);
  writer.lsn(status.apply);
  writer.time(status.client_time);
  writer.u8(status.reply_requested ? 1 : 0);
  return out;
}

std::string hot_standby_feedback(const HotStandbyFeedback& feedback) {
  std::string out;
  WireWriter writer(out);
  writer.u8('h');
  writer.time(feedback.client_time);
  writer.u32(feedback.xmin);
  writer.u32(feedback.xmin_epoch);
  writer.u32(feedback.catalog_xmin);
  writer.u32(feedback.catalog_xmin_epoch);
  return out;
}

}  // namespace pgcourier::protocol
