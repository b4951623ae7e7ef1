// pgcourier status
#include <CLI/CLI.hpp>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cdc/daemon/commands/command_line.hpp"
#include "cdc/daemon/commands/commands.hpp"
#include "cdc/daemon/exit_codes.hpp"
#include "cdc/daemon/http_server.hpp"
#include "config/settings.hpp"

namespace pgcourier::cdc::daemon {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
constexpr const char* default_url = "http://127.0.0.1:8470";
constexpr std::chrono::seconds patience{10};

// "http://127.0.0.1:8470/…" → "127.0.0.1:8470"
std::string authority(std::string url) {
  constexpr std::string_view scheme = "http://";
  if (url.compare(0, scheme.size(), scheme) == 0) url.erase(0, scheme.size());
  return url.substr(0, url.find('/'));
}

// Throws CLI::ValidationError.
ListenAddress read_url(const std::string& url) {
  try {
    return parse_listen_address(authority(url));
  } catch (const config::SettingsError&) {
    throw CLI::ValidationError("--url", "'" + url + "' is not a URL such as " + default_url);
  }
}

using Answer = http::response<http::string_body>;

boost::asio::awaitable<void> ask(std::string url, ListenAddress address, Answer& answer) {
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::ip::tcp::resolver resolver(executor);
  beast::tcp_stream stream(executor);
  stream.expires_after(patience);
  const auto port = std::to_string(address.port);
  const auto endpoints =
      co_await resolver.async_resolve(address.host, port, boost::asio::use_awaitable);
  co_await stream.async_connect(endpoints, boost::asio::use_awaitable);
  http::request<http::empty_body> request(http::verb::get, "/api/v1/status", 11);
  request.set(http::field::host, authority(url));
  co_await http::async_write(stream, request, boost::asio::use_awaitable);
  beast::flat_buffer buffer;
  co_await http::async_read(stream, buffer, answer, boost::asio::use_awaitable);
}

int print_status(const std::string& url, const ListenAddress& address) {
  boost::asio::io_context io;
  Answer answer;
  std::exception_ptr failure;
  boost::asio::co_spawn(io, ask(url, address, answer),
                        [&failure](std::exception_ptr error) { failure = error; });
  io.run();
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    std::cerr << "pgcourier: no status at " << url << ": " << error.code().message()
              << "; is pgcourier running, and http.listen set?\n";
    return exit_unreachable;
  }
  const auto json = nlohmann::ordered_json::parse(answer.body(), nullptr, false);
  if (answer.result() != http::status::ok || json.is_discarded()) {
    std::cerr << "pgcourier: " << url << " is not pgcourier's: HTTP " << answer.result_int()
              << '\n';
    return exit_unreachable;
  }
  std::cout << json.dump(2) << '\n';
  return exit_done;
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  auto url = std::make_shared<std::string>(default_url);
  auto* status = app.add_subcommand("status", "What a running pgcourier says of itself");
  status->add_option("--url", *url, "Where it listens (http.listen)")->capture_default_str();
  status->callback([url, &action] {
    action = [url, address = read_url(*url)] {
      return report_failures([&] { return print_status(*url, address); });
    };
  });
}

}  // namespace pgcourier::cdc::daemon
