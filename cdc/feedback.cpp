#include "cdc/feedback.hpp"

#include <algorithm>

namespace pgcourier::cdc {

using namespace std::chrono_literals;

void Feedback::received(protocol::Lsn lsn) { received_ = std::max(received_, lsn); }

void Feedback::durable(protocol::Lsn lsn) { durable_ = std::max(durable_, lsn); }

// The server takes any flush position without an upper bound, and one below confirmed_flush would
// be a step back: until both are known to be right it gets 0/0.
StatusPositions Feedback::now_true() const {
  const auto reached = std::min(durable_, received_);
  const auto flush = reached >= slot_confirmed_ ? reached : protocol::Lsn{};
  return {received_, std::max(flush, confirmed())};
}

std::optional<StatusPositions> Feedback::due(Time now) {
  const auto positions = now_true();
  const auto since = now - last_sent_;
  const bool moved = !last_ || positions != *last_;
  const bool wanted = !last_ || reply_requested_ || (moved && since >= 100ms) || since >= interval_;
  if (!wanted) return std::nullopt;
  reply_requested_ = false;
  last_ = positions;
  last_sent_ = now;
  return positions;
}

StatusPositions Feedback::final_status() {
  last_ = now_true();
  return *last_;
}

Feedback::Duration status_interval(std::chrono::milliseconds wal_sender_timeout) {
  if (wal_sender_timeout <= 0ms) return 10s;
  return std::min<Feedback::Duration>(10s, wal_sender_timeout / 3);
}

}  // namespace pgcourier::cdc
