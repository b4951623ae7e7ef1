// http.listen. Who holds a port that is in use, it says itself.
#include <boost/asio.hpp>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "cdc/daemon/checks/sink_checks.hpp"
#include "cdc/daemon/exit_codes.hpp"
#include "cdc/daemon/http_server.hpp"

namespace pgcourier::cdc::daemon {

namespace {

using namespace std::chrono_literals;

// The pipeline's name as /api/v1/status there says it; empty if that is not pgcourier.
std::string name_at(const ListenAddress& address) {
  const bool any = address.host.empty() || address.host == "0.0.0.0" || address.host == "::";
  boost::asio::ip::tcp::iostream stream;
  stream.expires_after(2s);
  stream.connect(any ? "localhost" : address.host, std::to_string(address.port));
  stream << "GET /api/v1/status HTTP/1.0\r\nHost: localhost\r\n\r\n" << std::flush;
  const std::string answer(std::istreambuf_iterator<char>(stream), {});
  const auto body = answer.find("\r\n\r\n");
  if (body == std::string::npos) return {};
  const auto status = nlohmann::json::parse(answer.substr(body), nullptr, false);
  const auto name = status.is_object() ? status.find("name") : status.end();
  return name != status.end() && name->is_string() ? name->get<std::string>() : std::string();
}

}  // namespace

void check_http(const config::Settings& settings, const StatusSource& status, Findings& findings) {
  const auto& listen = settings.http_listen;
  if (listen.empty()) return findings.ok("http_listen", "off");
  try {
    boost::asio::io_context io;
    const HttpServer server(io, listen, status);
    findings.ok("http_listen", listen + " is free");
  } catch (const config::SettingsError& error) {
    if (name_at(parse_listen_address(listen)) == settings.name) {
      findings.ok("http_listen", listen + " is in use by a run of this pipeline");
    } else {
      findings.error("http_listen", exit_settings, error.what(), {});
    }
  }
}

}  // namespace pgcourier::cdc::daemon
