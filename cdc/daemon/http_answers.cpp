#include "cdc/daemon/http_answers.hpp"

#include "cdc/daemon/metrics.hpp"
#include "cdc/daemon/web/files.hpp"

namespace pgcourier::cdc::daemon {
namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";

bool is_verbose(std::string_view query) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto parameter = query.substr(0, end);
    if (parameter.substr(0, parameter.find('=')) == "verbose") return true;
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
  return false;
}

// As Kubernetes' own components print it: "[+]source ok: …" and "[-]kafka failed: …".
std::string verbose_lines(const StatusReport& report) {
  std::string text;
  for (const auto& check : report.checks) {
    text += (check.ok ? "[+]" : "[-]") + check.name + (check.ok ? " ok" : " failed");
    if (!check.detail.empty()) text += ": " + check.detail;
    text += '\n';
  }
  return text;
}

std::string first_reason(const StatusReport& report) {
  for (const auto& check : report.checks) {
    if (!check.ok) return check.name + ": " + check.detail;
  }
  std::string reason(name_of(report.state));
  if (!report.state_detail.empty()) reason += ": " + report.state_detail;
  return reason;
}

HttpAnswer readiness(std::string_view query, const StatusReport& report) {
  const bool is_ready = ready(report);
  auto result =
      text_answer(is_ready ? 200 : 503, is_ready ? "ready" : "not ready: " + first_reason(report));
  if (is_verbose(query)) result.body = verbose_lines(report) + result.body;
  return result;
}

}  // namespace

HttpAnswer text_answer(unsigned status, std::string_view line) {
  return {status, plain_text, std::string(line) + '\n'};
}

HttpAnswer answer(std::string_view target, const StatusSource& source) {
  const auto question_mark = target.find('?');
  const auto path = target.substr(0, question_mark);
  const auto query =
      question_mark == std::string_view::npos ? "" : target.substr(question_mark + 1);

  if (path == "/livez") return text_answer(200, "ok");
  if (path == "/readyz") return readiness(query, source.report());
  if (path == "/metrics") return {200, metrics_content_type, metrics_text(source.report())};
  if (path == "/api/v1/status") return {200, "application/json", to_json(source.report()) + '\n'};
  if (path == "/") return {200, "text/html; charset=utf-8", std::string(web::index_html)};
  if (path == "/status.css") return {200, "text/css; charset=utf-8", std::string(web::status_css)};
  if (path == "/status.js") {
    return {200, "text/javascript; charset=utf-8", std::string(web::status_js)};
  }
  return text_answer(404, "not found; there is /, /livez, /readyz, /metrics and /api/v1/status");
}

}  // namespace pgcourier::cdc::daemon
