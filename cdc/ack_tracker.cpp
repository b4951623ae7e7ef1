#include "cdc/ack_tracker.hpp"

#include <algorithm>
#include <cassert>

namespace pgcourier::cdc {

namespace {

// Fewer are not worth a look.
constexpr std::size_t least_to_merge = 64;

void raise(Position& position, const Position& to) {
  position.delivered = std::max(position.delivered, to.delivered);
  position.position = std::max(position.position, to.position);
}

}  // namespace

TransactionNumber AckTracker::begin() {
  assert(units_.empty() || units_.back().whole);
  units_.push_back({.number = next_});
  return next_++;
}

void AckTracker::expect(std::size_t deliveries) {
  units_.back().outstanding += deliveries;
  units_.back().has_events = true;
}

void AckTracker::commit(protocol::Lsn end_lsn) {
  Unit& unit = units_.back();
  unit.whole = true;
  unit.reached.position = end_lsn;
  if (unit.has_events) unit.reached.delivered = end_lsn;
  if (unit.done()) settle();  // it waits for nobody but its predecessors
}

void AckTracker::acknowledge(const Delivery& delivery) {
  const auto unit = std::lower_bound(
      units_.begin(), units_.end(), delivery.transaction,
      [](const Unit& each, TransactionNumber number) { return each.number < number; });
  const bool known = unit != units_.end() && unit->number == delivery.transaction;
  if (!known || unit->outstanding < delivery.count) {
    throw SinkError(SinkFailure::internal,
                    "a sink reported a delivery that was not outstanding; nothing was confirmed");
  }
  if (delivery.count == 0) return;
  unit->outstanding -= delivery.count;
  if (unit->done()) settle();
}

void AckTracker::sent_up_to(protocol::Lsn lsn) {
  if (units_.empty()) {
    durable_.position = std::max(durable_.position, lsn);
  } else if (units_.back().whole) {
    raise(units_.back().reached, {{}, lsn});
  }
}

// Called once for each unit that becomes done.
void AckTracker::settle() {
  ++done_;
  while (!units_.empty() && units_.front().done()) {
    raise(durable_, units_.front().reached);
    units_.pop_front();
    --done_;
  }
  if (done_ >= least_to_merge && done_ > units_.size() / 2) merge();
}

// A unit that is done only waits for the one before it, and is reached together with it.
void AckTracker::merge() {
  auto last = units_.begin();  // not done, else it would not be here
  for (auto unit = std::next(last); unit != units_.end(); ++unit) {
    if (unit->done()) {
      raise(last->reached, unit->reached);
    } else {
      *++last = *unit;
    }
  }
  units_.erase(std::next(last), units_.end());
  done_ = 0;
}

}  // namespace pgcourier::cdc
