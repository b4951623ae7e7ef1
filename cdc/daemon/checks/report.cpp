#include "cdc/daemon/checks/report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pgcourier::cdc::daemon {

namespace {

constexpr Severity severities[] = {Severity::ok, Severity::warning, Severity::error};

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text + "  ";
}

// A server's message may have lines of its own.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

std::string findings_text(const Findings& findings) {
  std::size_t width = 0;
  for (const auto& finding : findings.all()) width = std::max(width, finding.name.size());
  std::string text;
  for (const auto severity : severities) {
    for (const auto& finding : findings.all()) {
      if (finding.severity != severity) continue;
      text += padded(name_of(severity), 7) + padded(finding.name, width) + one_line(finding.what);
      if (!finding.remedy.empty()) text += ": " + one_line(finding.remedy);
      if (severity == Severity::error) text += " [exit " + std::to_string(finding.exit_code) + "]";
      text += '\n';
    }
  }
  return text;
}

std::string findings_json(const Findings& findings) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& finding : findings.all()) {
    list.push_back({{"name", finding.name},
                    {"severity", name_of(finding.severity)},
                    {"what", finding.what},
                    {"remedy", finding.remedy},
                    {"exit_code", finding.exit_code}});
  }
  const nlohmann::ordered_json report{{"findings", list}, {"exit_code", findings.exit_code()}};
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace pgcourier::cdc::daemon
