// The bookmark in the topic <name>.__position: not the last record, but what all of them say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cdc/bookmark.hpp"

namespace pgcourier::sinks {

// One record. A stopped-and-continued instance may write an older one after a newer one, so the
// last record is not the bookmark. `resets` counts how often the position was set back (an
// operator's --accept-identity, a server that lost what it had told): a record of before the last
// reset never counts again, whoever writes it and whatever Kafka compacted away.
struct KafkaBookmark {
  cdc::Bookmark bookmark;
  std::uint64_t resets = 0;

  friend bool operator==(const KafkaBookmark&, const KafkaBookmark&) = default;
};

// cdc::to_json() and "resets".
std::string to_json(const KafkaBookmark& record);

// Inverse of to_json(); without "resets": none. Empty: it is no bookmark.
std::optional<KafkaBookmark> parse_kafka_bookmark(std::string_view json);

// What `next` makes of what the records before it said. Among those of one stream and timeline the
// highest positions count, each on its own: everything before either is in Kafka. A timeline is
// left for a higher one and never taken up again.
KafkaBookmark fold(const KafkaBookmark& known, const KafkaBookmark& next);

// `bookmark` as the next record after `known`, counted as a reset if fold() would not take it as it
// is.
KafkaBookmark next_record(const std::optional<KafkaBookmark>& known, const cdc::Bookmark& bookmark);

}  // namespace pgcourier::sinks
