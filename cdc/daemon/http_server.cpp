#include "cdc/daemon/http_server.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <charconv>
#include <chrono>
#include <list>
#include <unordered_set>

#include "cdc/daemon/log.hpp"
#include "config/settings.hpp"

namespace pgcourier::cdc::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr std::size_t max_connections = 64;
constexpr std::uint32_t max_header_bytes = 8 * 1024;
constexpr auto request_timeout =
    10s;  // for one request's header, and as long a connection may idle
constexpr auto response_timeout = 10s;  // for the client to take the answer
constexpr auto accept_pause = 1s;       // after accept failed, as for want of descriptors

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

using Request = http::request_parser<http::empty_body>;
using Response = http::response<http::string_body>;

[[noreturn]] void fail(std::string_view listen, const std::string& reason) {
  throw config::SettingsError("http.listen: can't listen on " + std::string(listen) + ": " +
                              reason + "; set another address, or \"\" to do without HTTP");
}

tcp::endpoint resolve(asio::io_context& io, std::string_view listen, const ListenAddress& address) {
  boost::system::error_code error;
  const auto literal = asio::ip::make_address(address.host, error);
  if (!error) return {literal, address.port};
  tcp::resolver resolver(io);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error) fail(listen, error.message());
  return found.begin()->endpoint();
}

boost::system::error_code try_listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  boost::system::error_code error;
  if (acceptor.is_open()) acceptor.close(error);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) {
    // "[::]" takes IPv4 as well, whatever the system's default is.
    acceptor.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

void listen_on(asio::io_context& io, tcp::acceptor& acceptor, std::string_view listen) {
  const auto address = parse_listen_address(listen);
  boost::system::error_code error;
  if (address.host.empty()) {
    error = try_listen(acceptor, {tcp::v6(), address.port});
    if (error != asio::error::address_in_use && error) {  // a machine without IPv6
      error = try_listen(acceptor, {tcp::v4(), address.port});
    }
  } else {
    error = try_listen(acceptor, resolve(io, listen, address));
  }
  if (error) fail(listen, error.message());
}

Response make_response(HttpAnswer answer, unsigned version, bool keep_alive, bool head) {
  Response response(http::int_to_status(answer.status), version);
  response.keep_alive(keep_alive);
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("X-Frame-Options", "DENY");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
               "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  if (answer.status == 405) response.set(http::field::allow, "GET, HEAD");
  response.content_length(answer.body.size());
  if (!head) response.body() = std::move(answer.body);
  return response;
}

HttpAnswer answer_to(const http::request<http::empty_body>& request, const StatusSource& source) {
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return text_answer(405, "only GET and HEAD are served");
  }
  try {
    return answer({request.target().data(), request.target().size()}, source);
  } catch (const std::exception& error) {
    log::error("http request failed",
               {{"path", std::string_view(request.target().data(), request.target().size())},
                {"error", error.what()}});
    return text_answer(500, "internal error; the log has the reason");
  }
}

// What to say when a request can't be read; empty: nothing, the client is gone or too slow.
std::optional<HttpAnswer> refusal(const boost::system::error_code& error) {
  if (error == http::error::header_limit) return text_answer(431, "the header is over 8 KiB");
  if (error == http::error::unexpected_body || error == http::error::body_limit) {
    return text_answer(413, "a request has no body here");
  }
  if (error.category() == make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return text_answer(400, "not an HTTP request: " + error.message());
  }
  return std::nullopt;
}

}  // namespace

struct HttpServer::State {
  State(asio::io_context& io, const StatusSource& status) : acceptor(io), source(&status) {}

  tcp::acceptor acceptor;
  const StatusSource* source;  // null once the server is gone
  std::unordered_set<beast::tcp_stream*> connections;
  std::list<beast::tcp_stream*> waiting;  // for a request, the longest first; all in `connections`
};

namespace {

template <class State>
asio::awaitable<void> send(State& state, beast::tcp_stream& stream, Response response) {
  stream.expires_after(response_timeout);
  const auto [error, bytes] = co_await http::async_write(stream, response, as_result);
  if (error || response.need_eof() || !state.source) stream.close();
}

// Requests of one connection until it ends or misbehaves.
template <class State>
asio::awaitable<void> serve(std::shared_ptr<State> state, beast::tcp_stream& stream) {
  beast::flat_buffer buffer(max_header_bytes);
  while (stream.socket().is_open() && state->source) {
    Request parser;
    parser.header_limit(max_header_bytes);
    parser.body_limit(0);
    stream.expires_after(request_timeout);
    state->waiting.push_back(&stream);
    const auto [error, bytes] = co_await http::async_read(stream, buffer, parser, as_result);
    state->waiting.remove(&stream);
    if (!state->source) co_return;
    if (error) {
      if (auto reason = refusal(error)) {
        co_await send(*state, stream, make_response(std::move(*reason), 11, false, false));
      }
      co_return;
    }
    const auto& request = parser.get();
    co_await send(*state, stream,
                  make_response(answer_to(request, *state->source), request.version(),
                                request.keep_alive(), request.method() == http::verb::head));
  }
}

template <class State>
asio::awaitable<void> connection(std::shared_ptr<State> state, beast::tcp_stream stream) {
  state->connections.insert(&stream);
  try {
    co_await serve(state, stream);
  } catch (const std::exception& error) {
    log::warn("http connection failed", {{"error", error.what()}});
  }
  state->connections.erase(&stream);
}

// So that whoever comes now is served, as a kubelet asking for /livez. False: every connection is
// at an answer, which takes its client a moment, or response_timeout at most.
template <class State>
bool make_room(State& state) {
  if (state.connections.size() < max_connections) return true;
  if (state.waiting.empty()) return false;
  auto* longest = state.waiting.front();
  state.waiting.pop_front();
  state.connections.erase(longest);  // its coroutine ends a little later
  longest->close();
  return true;
}

template <class State>
asio::awaitable<void> accept_loop(std::shared_ptr<State> state) {
  asio::steady_timer pause(state->acceptor.get_executor());
  while (state->source) {
    auto [error, socket] = co_await state->acceptor.async_accept(as_result);
    if (!state->source) co_return;
    if (error) {
      log::warn("http accept failed", {{"error", error.message()}});
      pause.expires_after(accept_pause);
      co_await pause.async_wait(as_result);
      continue;
    }
    if (!make_room(*state)) continue;
    asio::co_spawn(state->acceptor.get_executor(),
                   connection(state, beast::tcp_stream(std::move(socket))), asio::detached);
  }
}

}  // namespace

ListenAddress parse_listen_address(std::string_view listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string_view::npos) fail(listen, "not HOST:PORT");
  auto host = listen.substr(0, colon);
  const auto digits = listen.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    fail(listen, "the port is not a number from 0 to 65535");
  }
  const bool in_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (!in_brackets && host.find(':') != std::string_view::npos) {
    fail(listen, "an IPv6 address stands in brackets, as in [::1]:8470");
  }
  return {std::string(host), port};
}

HttpServer::HttpServer(asio::io_context& io, std::string_view listen, const StatusSource& source)
    : state_(std::make_shared<State>(io, source)) {
  listen_on(io, state_->acceptor, listen);
  asio::co_spawn(io, accept_loop(state_), asio::detached);
}

HttpServer::~HttpServer() {
  state_->source = nullptr;
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  for (auto* stream : state_->connections) stream->close();
}

std::uint16_t HttpServer::port() const { return state_->acceptor.local_endpoint().port(); }

std::string HttpServer::url() const {
  const auto endpoint = state_->acceptor.local_endpoint();
  const auto host = endpoint.address().to_string();
  return "http://" + (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

}  // namespace pgcourier::cdc::daemon
