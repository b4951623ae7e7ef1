#include "protocol/replication_messages.hpp"

#include "protocol/wire_writer.hpp"

namespace pgcourier::protocol {

void append_standby_status_update(std::string& out, const StandbyStatusUpdate& status) {
  WireWriter writer(out);
  writer.begin_message('d');
  writer.u8('r');
  writer.lsn(status.write);
  writer.lsn(status.flush);
  writer.lsn(status.apply);
  writer.time(status.client_time);
  writer.u8(status.reply_requested ? 1 : 0);
  writer.finish_message();
}

void append_hot_standby_feedback(std::string& out, const HotStandbyFeedback& feedback) {
  WireWriter writer(out);
  writer.begin_message('d');
  writer.u8('h');
  writer.time(feedback.client_time);
  writer.u32(feedback.xmin);
  writer.u32(feedback.xmin_epoch);
  writer.u32(feedback.catalog_xmin);
  writer.u32(feedback.catalog_xmin_epoch);
  writer.finish_message();
}

}  // namespace pgcourier::protocol
