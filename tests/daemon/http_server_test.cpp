#include "cdc/daemon/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <stdexcept>
#include <thread>

#include "config/settings.hpp"
#include "tests/daemon/sample_report.hpp"

namespace pgcourier::cdc::daemon {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class SampleSource : public StatusSource {
 public:
  StatusReport report() const override {
    if (broken) throw std::runtime_error("broken");
    return sample_report();
  }
  bool broken = false;
};

// A server on a free port, its loop in a thread.
class HttpServerTest : public testing::Test {
 protected:
  void start(const std::string& listen = "127.0.0.1:0") {
    server_ = std::make_unique<HttpServer>(io_, listen, source_);
    thread_ = std::thread([this] { io_.run(); });
  }

  void TearDown() override {
    asio::post(io_, [this] { server_.reset(); });
    if (thread_.joinable()) {
      thread_.join();  // the loop ends by itself: nothing is left behind
    }
  }

  tcp::socket connect() {
    tcp::socket socket(client_io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
    return socket;
  }

  // Sends `text` and reads until the server closes.
  std::string exchange(const std::string& text) {
    auto socket = connect();
    boost::system::error_code error;
    asio::write(socket, asio::buffer(text), error);
    return read_all(socket);
  }

  static std::string read_all(tcp::socket& socket) {
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }

  asio::io_context io_;
  asio::io_context client_io_;
  SampleSource source_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

std::string request(const std::string& line) {
  return line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

TEST_F(HttpServerTest, AnswersGetWithTheSecurityHeaders) {
  start();
  const auto answer = exchange(request("GET /livez"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'none';"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nok\n"));
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  start();
  const auto answer = exchange(request("HEAD /api/v1/status"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length: 0\r\n")));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, RefusesOtherMethods) {
  start();
  for (const auto* method : {"POST", "DELETE", "OPTIONS", "BREW"}) {
    const auto answer = exchange(request(std::string(method) + " /livez"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
  }
}

TEST_F(HttpServerTest, ServesSeveralRequestsOnOneConnection) {
  start();
  const auto answer = exchange("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + request("GET /nothing"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(HttpServerTest, RefusesARequestWithABody) {
  start();
  const auto answer = exchange("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, RefusesALargeHeader) {
  start();
  const auto answer =
      exchange("GET /livez HTTP/1.1\r\nHost: x\r\nA: " + std::string(9000, 'a') + "\r\n\r\n");
  EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 431 ")) << answer;
  EXPECT_THAT(exchange(request("GET /livez")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttpAndGoesOn) {
  start();
  EXPECT_THAT(exchange("\x16\x03\x01 not http\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(exchange(request("GET /livez")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, AnswersLivezWhileAReportFails) {
  source_.broken = true;
  start();
  const auto answer = exchange(request("GET /readyz"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("broken")));
  EXPECT_THAT(exchange(request("GET /livez")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, DropsTheLongestIdleConnectionForOneAboveTheLimit) {
  start();
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 64; ++i) idle.push_back(connect());
  EXPECT_THAT(exchange(request("GET /livez")), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(read_all(idle[0]), "");
  for (const std::size_t kept : {std::size_t{1}, std::size_t{63}}) {
    asio::write(idle[kept], asio::buffer(request("GET /livez")));
    EXPECT_THAT(read_all(idle[kept]), StartsWith("HTTP/1.1 200 ")) << kept;
  }
}

TEST_F(HttpServerTest, ServesNewConnectionsHoweverManyAreIdle) {
  start();
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 300; ++i) {
    idle.push_back(connect());
    if (i % 50 == 49) {
      EXPECT_THAT(exchange(request("GET /livez")), StartsWith("HTTP/1.1 200 ")) << i;
    }
  }
}

TEST_F(HttpServerTest, EndsWhileConnectionsAreOpen) {
  start();
  auto idle = connect();
  EXPECT_THAT(exchange(request("GET /livez")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, ListensOnIpv6) {
  try {
    start("[::1]:0");
  } catch (const config::SettingsError& error) {
    GTEST_SKIP() << "a machine without IPv6: " << error.what();
  }
  EXPECT_THAT(server_->url(), StartsWith("http://[::1]:"));
}

TEST_F(HttpServerTest, SaysWhatToDoWhenThePortIsTaken) {
  start();
  const auto address = "127.0.0.1:" + std::to_string(server_->port());
  try {
    HttpServer second(io_, address, source_);
    FAIL() << "two servers on one port";
  } catch (const config::SettingsError& error) {
    EXPECT_THAT(error.what(), HasSubstr("http.listen"));
    EXPECT_THAT(error.what(), HasSubstr(address));
    EXPECT_THAT(error.what(), HasSubstr("in use"));
    EXPECT_THAT(error.what(), HasSubstr("set another address"));
  }
}

TEST(ListenAddress, IsHostAndPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:8470").host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("[::1]:8470").host, "::1");
  EXPECT_EQ(parse_listen_address("localhost:1").port, 1);
  EXPECT_EQ(parse_listen_address(":0").host, "");
  for (const auto* bad : {"8470", "::1:8470", "x:", "x:70000", "x:-1", "x:1a", ""}) {
    EXPECT_THROW(parse_listen_address(bad), config::SettingsError) << bad;
  }
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
