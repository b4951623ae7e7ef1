// Adding up progress, on either side of a worker.
#pragma once

#include <cstddef>
#include <vector>

#include "cdc/sink.hpp"

namespace pgcourier::sinks {

// One entry per transaction: deliveries come in its order.
inline void add_delivery(std::vector<cdc::Delivery>& deliveries, cdc::TransactionNumber transaction,
                         std::size_t count) {
  if (!deliveries.empty() && deliveries.back().transaction == transaction) {
    deliveries.back().count += count;
  } else {
    deliveries.push_back({transaction, count});
  }
}

inline void add_deliveries(std::vector<cdc::Delivery>& deliveries,
                           const std::vector<cdc::Delivery>& more) {
  for (const auto& delivery : more) add_delivery(deliveries, delivery.transaction, delivery.count);
}

// Adds `from` to `to` and empties it; its memory stays for the next time.
inline void move_progress(cdc::Progress& from, cdc::Progress& to) {
  add_deliveries(to.deliveries, from.deliveries);
  to.freed_bytes += from.freed_bytes;
  to.freed_records += from.freed_records;
  if (from.bookmarked) to.bookmarked = from.bookmarked;
  from.deliveries.clear();
  from.freed_bytes = 0;
  from.freed_records = 0;
  from.bookmarked.reset();
}

}  // namespace pgcourier::sinks
