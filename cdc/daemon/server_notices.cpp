#include "cdc/daemon/server_notices.hpp"

#include <cstddef>
#include <cstdint>

#include "cdc/daemon/log.hpp"

namespace pgcourier::cdc::daemon {
namespace {

constexpr std::size_t most_at_once = 20;
constexpr std::size_t max_text_bytes = 1024;

log::Level level_of(std::string_view severity) {
  if (severity == "WARNING") return log::Level::warn;
  return severity.starts_with("DEBUG") ? log::Level::debug : log::Level::info;
}

}  // namespace

void log_notices(const std::vector<protocol::ServerFields>& notices, std::string_view connection) {
  std::size_t told = 0;
  for (const auto& notice : notices) {
    if (told == most_at_once) {
      log::warn("the server sent more notices than are shown",
                {{"connection", connection}, {"more", std::uint64_t{notices.size() - told}}});
      return;
    }
    ++told;
    const std::string_view severity =
        notice.severity_unlocalized.empty() ? notice.severity : notice.severity_unlocalized;
    log::write(level_of(severity), "the server tells",
               {{"connection", connection},
                {"severity", severity.substr(0, max_text_bytes)},
                {"sqlstate", std::string_view(notice.sqlstate).substr(0, max_text_bytes)},
                {"notice", std::string_view(notice.message).substr(0, max_text_bytes)}});
  }
}

// The text may be translated, the name in it is not.
bool tells_of_missing_publication(const protocol::ServerFields& notice,
                                  std::string_view publication) {
  return notice.sqlstate == "55000" && notice.severity_unlocalized == "WARNING" &&
         notice.message.find(publication) != std::string::npos;
}

}  // namespace pgcourier::cdc::daemon
