#include "cdc/ack_tracker.hpp"

#include <algorithm>
#include <cassert>

namespace pgcourier::cdc {

TransactionNumber AckTracker::begin() {
  assert(units_.empty() || units_.back().end_lsn);
  units_.emplace_back();
  return oldest_ + units_.size() - 1;
}

void AckTracker::expect(std::size_t deliveries) {
  units_.back().outstanding += deliveries;
  units_.back().has_events = true;
}

void AckTracker::commit(protocol::Lsn end_lsn) {
  units_.back().end_lsn = end_lsn;
  settle();  // an empty unit waits for nobody but its predecessors
}

void AckTracker::acknowledge(const Delivery& delivery) {
  const bool known =
      delivery.transaction >= oldest_ && delivery.transaction - oldest_ < units_.size();
  if (!known || units_[delivery.transaction - oldest_].outstanding < delivery.count) {
    throw SinkError(SinkFailure::internal,
                    "a sink reported a delivery that was not outstanding; nothing was confirmed");
  }
  units_[delivery.transaction - oldest_].outstanding -= delivery.count;
  settle();
}

void AckTracker::sent_up_to(protocol::Lsn lsn) {
  if (units_.empty()) {
    durable_.position = std::max(durable_.position, lsn);
  } else if (units_.back().end_lsn) {
    units_.back().quiet_until = std::max(units_.back().quiet_until, lsn);
  }
}

void AckTracker::settle() {
  while (!units_.empty()) {
    const Unit& unit = units_.front();
    if (unit.outstanding > 0 || !unit.end_lsn) return;
    if (unit.has_events) durable_.delivered = std::max(durable_.delivered, *unit.end_lsn);
    durable_.position = std::max({durable_.position, *unit.end_lsn, unit.quiet_until});
    units_.pop_front();
    ++oldest_;
  }
}

}  // namespace pgcourier::cdc
