// What a sink remembers of the stream it has taken, independent of the slot (delivery.md 8).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/lsn.hpp"

namespace pgcourier::cdc {

// Where a sink stands: `delivered` is the end of the last unit (transaction or non-transactional
// message) with an event in it; all before `position` is done. position >= delivered.
struct Position {
  protocol::Lsn delivered;
  protocol::Lsn position;

  friend bool operator==(const Position&, const Position&) = default;
};

// Which stream the position is of.
struct StreamIdentity {
  std::string system_identifier;  // IDENTIFY_SYSTEM's systemid, decimal
  std::uint32_t timeline = 0;
  std::string database;
  std::string slot;

  friend bool operator==(const StreamIdentity&, const StreamIdentity&) = default;
};

struct Bookmark {
  StreamIdentity identity;
  Position position;

  friend bool operator==(const Bookmark&, const Bookmark&) = default;
};

// {"system_identifier":"7…","timeline":1,"database":"shop","slot":"shop","delivered":"0/16B3830",
//  "position":"0/16B3900"}
std::string to_json(const Bookmark& bookmark);

// Inverse of to_json(); empty if `json` is not exactly such an object. Members added later are
// ignored.
std::optional<Bookmark> parse_bookmark(std::string_view json);

}  // namespace pgcourier::cdc
