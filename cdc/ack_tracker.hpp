// Turns one sink's deliveries, which come in any order, into the position it has reached.
#pragma once

#include <cstddef>
#include <deque>

#include "cdc/bookmark.hpp"
#include "cdc/sink.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::cdc {

// One entry per unit (transaction or non-transactional message) in flight, none per event: a
// transaction of a million rows costs as much as one of a single row. A unit that is done behind
// one that is not (of no event for this sink, or overtaking) is merged into it sooner or later, so
// memory is bounded by what waits for deliveries, never by how long it waits. One tracker a sink;
// all trackers of a session count the same units. Lives on the io thread.
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
  bool waits_for_whole_units() const { return !units_.empty() && units_.front().whole; }

  // How many entries it holds: at most twice those that wait for deliveries, and a constant.
  std::size_t size() const { return units_.size(); }

 private:
  struct Unit {
    TransactionNumber number = 0;
    std::size_t outstanding = 0;
    bool has_events = false;
    bool whole = false;  // set by commit()
    Position reached;    // with it and all before it durable; keepalives and merged units count

    bool done() const { return whole && outstanding == 0; }
  };

  void settle();
  void merge();

  std::deque<Unit> units_;  // by number, which merging leaves gaps in
  TransactionNumber next_ = 0;
  std::size_t done_ = 0;  // of units_
  Position durable_;
};

}  // namespace pgcourier::cdc
