#include "cdc/bookmark.hpp"

#include <nlohmann/json.hpp>

namespace pgcourier::cdc {

std::string to_json(const Bookmark& bookmark) {
  const nlohmann::ordered_json json{
      {"system_identifier", bookmark.identity.system_identifier},
      {"timeline", bookmark.identity.timeline},
      {"database", bookmark.identity.database},
      {"slot", bookmark.identity.slot},
      {"delivered", protocol::to_string(bookmark.position.delivered)},
      {"position", protocol::to_string(bookmark.position.position)},
  };
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {

std::optional<std::string> text(const nlohmann::json& json, const char* member) {
  const auto found = json.find(member);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<protocol::Lsn> lsn(const nlohmann::json& json, const char* member) {
  const auto written = text(json, member);
  return written ? protocol::parse_lsn(*written) : std::nullopt;
}

}  // namespace

std::optional<Bookmark> parse_bookmark(std::string_view json_text) {
  const auto json = nlohmann::json::parse(json_text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto system_identifier = text(json, "system_identifier");
  const auto timeline = json.find("timeline");
  const auto database = text(json, "database");
  const auto slot = text(json, "slot");
  const auto delivered = lsn(json, "delivered");
  const auto position = lsn(json, "position");
  if (!system_identifier || !database || !slot || !delivered || !position) return std::nullopt;
  if (timeline == json.end() || !timeline->is_number_unsigned() ||
      timeline->get<std::uint64_t>() > UINT32_MAX || *delivered > *position) {
    return std::nullopt;
  }
  return Bookmark{{*system_identifier, timeline->get<std::uint32_t>(), *database, *slot},
                  {*delivered, *position}};
}

}  // namespace pgcourier::cdc
