#include "sinks/null_sink.hpp"

#include "sinks/worker_progress.hpp"

namespace pgcourier::sinks {

cdc::Written NullSink::write(const cdc::EncodedEvent& event, cdc::TransactionNumber transaction) {
  const auto bytes = event.record.value.size() + 1;
  checksum_.add(event.record.value);
  ++totals_.events;
  totals_.bytes += bytes;
  add_delivery(progress_.deliveries, transaction, 1);
  progress_.freed_bytes += bytes;
  ++progress_.freed_records;
  return {.deliveries = 1, .bytes = bytes};
}

void NullSink::collect(cdc::Progress& progress) { move_progress(progress_, progress); }

cdc::SinkTotals NullSink::totals() const {
  auto totals = totals_;
  totals.checksum = checksum_.value();
  return totals;
}

}  // namespace pgcourier::sinks
