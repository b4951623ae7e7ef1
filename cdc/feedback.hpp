// When to tell the server how far we are, and what (delivery.md 2 and 6).
#pragma once

#include <chrono>
#include <optional>

#include "protocol/lsn.hpp"

namespace pgcourier::cdc {

// What a standby status update says, but for the clock.
struct StatusPositions {
  protocol::Lsn write;  // received
  protocol::Lsn flush;  // durable everywhere; 0/0 is ignored by the server. apply is the same

  friend bool operator==(const StatusPositions&, const StatusPositions&) = default;
};

// One a session: positions of an earlier session must not live on in it.
class Feedback {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // `slot_confirmed`: confirmed_flush_lsn as read when the slot was taken. Below it we say 0/0.
  // `interval`: at most this long between two updates; see status_interval().
  Feedback(protocol::Lsn slot_confirmed, Duration interval)
      : slot_confirmed_(slot_confirmed), interval_(interval) {}

  void received(protocol::Lsn lsn);
  void durable(protocol::Lsn lsn);
  void reply_requested() { reply_requested_ = true; }

  // What to send now, if anything: at once when the server asks; at most every 100 ms when
  // something moved; at least every `interval`. Giving it counts as sent.
  std::optional<StatusPositions> due(Time now);

  // What to send last, whatever the clock says.
  StatusPositions final_status();

  // The flush position of the last update given out.
  protocol::Lsn confirmed() const { return last_ ? last_->flush : protocol::Lsn{}; }
  protocol::Lsn received() const { return received_; }

 private:
  StatusPositions now_true() const;

  protocol::Lsn slot_confirmed_;
  Duration interval_;
  protocol::Lsn received_;
  protocol::Lsn durable_;
  bool reply_requested_ = false;
  std::optional<StatusPositions> last_;
  Time last_sent_{};
};

// min(10 s, a third of wal_sender_timeout); 0 means that the server has none.
Feedback::Duration status_interval(std::chrono::milliseconds wal_sender_timeout);

}  // namespace pgcourier::cdc
