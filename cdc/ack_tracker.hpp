// Turns one sink's deliveries, which come in any order, into the position it has reached.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "cdc/bookmark.hpp"
#include "cdc/sink.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::cdc {

// One entry per unit (transaction or non-transactional message) in flight, none per event: a
// transaction of a million rows costs as much as one of a single row. One tracker a sink; all
// trackers of a session count the same units. Lives on the io thread.
class AckTracker {
 public:
  // `start` is what the sink's bookmark covers when the session begins.
  explicit AckTracker(Position start) : durable_(start) {}

  // Opens a unit. REQUIRES: the previous one is committed.
  TransactionNumber begin();

  // The open unit must wait for `deliveries` more.
  void expect(std::size_t deliveries);

  // The unit is whole: `end_lsn` is reached once it and all earlier ones are durable.
  void commit(protocol::Lsn end_lsn);

  // Throws SinkError{internal} for a delivery that nobody expects: the sink's bookkeeping is broken
  // and nothing it says may be confirmed.
  void acknowledge(const Delivery& delivery);

  // The server said that it has sent all before `lsn`. Counts once everything received before it is
  // durable; says nothing while a unit is open.
  void sent_up_to(protocol::Lsn lsn);

  // All before `position` is durable; `delivered` is the end of the last unit with an event in it.
  // Never falls.
  const Position& durable() const { return durable_; }

  // Nothing is open or in flight.
  bool idle() const { return units_.empty(); }

  // Whole units that wait for deliveries.
  bool waits_for_whole_units() const { return !units_.empty() && units_.front().end_lsn; }

 private:
  struct Unit {
    std::size_t outstanding = 0;
    bool has_events = false;
    std::optional<protocol::Lsn> end_lsn;  // set by commit()
    protocol::Lsn quiet_until;             // set by sent_up_to(); 0/0: nothing known
  };

  void settle();

  std::deque<Unit> units_;
  TransactionNumber oldest_ = 0;  // the number of units_.front()
  Position durable_;
};

}  // namespace pgcourier::cdc
