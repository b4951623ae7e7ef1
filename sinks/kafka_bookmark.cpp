#include "sinks/kafka_bookmark.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pgcourier::sinks {
namespace {

bool same_stream(const cdc::StreamIdentity& one, const cdc::StreamIdentity& other) {
  return one.system_identifier == other.system_identifier && one.database == other.database &&
         one.slot == other.slot;
}

}  // namespace

std::string to_json(const KafkaBookmark& record) {
  std::string json = cdc::to_json(record.bookmark);
  json.pop_back();
  return json + ",\"resets\":" + std::to_string(record.resets) + "}";
}

std::optional<KafkaBookmark> parse_kafka_bookmark(std::string_view json) {
  const auto bookmark = cdc::parse_bookmark(json);
  if (!bookmark) return std::nullopt;
  const auto object = nlohmann::json::parse(json, nullptr, false);
  const auto resets = object.find("resets");
  if (resets == object.end()) return KafkaBookmark{*bookmark, 0};
  if (!resets->is_number_unsigned()) return std::nullopt;
  return KafkaBookmark{*bookmark, resets->get<std::uint64_t>()};
}

KafkaBookmark fold(const KafkaBookmark& known, const KafkaBookmark& next) {
  if (next.resets != known.resets) return next.resets > known.resets ? next : known;
  const auto& known_stream = known.bookmark.identity;
  const auto& next_stream = next.bookmark.identity;
  if (!same_stream(known_stream, next_stream)) return next;
  if (next_stream.timeline != known_stream.timeline) {
    return next_stream.timeline > known_stream.timeline ? next : known;
  }
  KafkaBookmark both = next;
  auto& position = both.bookmark.position;
  position.delivered = std::max(position.delivered, known.bookmark.position.delivered);
  position.position = std::max(position.position, known.bookmark.position.position);
  return both;
}

KafkaBookmark next_record(const std::optional<KafkaBookmark>& known,
                          const cdc::Bookmark& bookmark) {
  if (!known) return {bookmark, 0};
  const KafkaBookmark next{bookmark, known->resets};
  const bool goes_on =
      same_stream(known->bookmark.identity, bookmark.identity) && fold(*known, next) == next;
  return goes_on ? next : KafkaBookmark{bookmark, known->resets + 1};
}

}  // namespace pgcourier::sinks
