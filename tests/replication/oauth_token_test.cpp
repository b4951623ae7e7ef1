// OAUTHBEARER over sockets: where the token comes from, and when it is fetched.
#include "replication/oauth_token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "replication/connection.hpp"
#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using test::Peer;
using test::ScriptedServer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

std::string printed(const std::vector<std::string>& command,
                    std::chrono::milliseconds limit = token_command_limit) {
  asio::io_context io;
  return test::run(io, run_token_command(command, limit));
}

// what() of the TokenCommandError.
std::string failure(const std::vector<std::string>& command,
                    std::chrono::milliseconds limit = token_command_limit) {
  try {
    return "printed " + printed(command, limit);
  } catch (const TokenCommandError& error) {
    return error.what();
  }
}

TEST(TokenCommand, GivesWhatItPrints) {
  EXPECT_EQ(printed(shell("echo token")), "token");
  EXPECT_EQ(printed(shell("printf 'token\\r\\n'")), "token");
  EXPECT_EQ(printed(shell("printf token; sleep 0.1; printf '2\\n\\n'")), "token2\n");
  EXPECT_EQ(printed(shell("exec 2>&-; printf token; exec 1>&-; sleep 0.1")), "token");
  EXPECT_EQ(printed(shell("head -c 65000 /dev/zero | tr '\\0' x")).size(), 65'000u);
}

TEST(TokenCommand, RunsTheProgramItselfWithItsArguments) {
  EXPECT_EQ(printed({"/usr/bin/printf", "%s|", "$HOME", "a b", "", "*", "`id`;"}),
            "$HOME|a b||*|`id`;|");
}

TEST(TokenCommand, HasNoInputNoDescriptorsAndNoSignalsOfOurs) {
  const int inherited = ::dup(1);  // without FD_CLOEXEC
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  // Signals 32 and 33 are the C library's own.
  EXPECT_THAT(printed(shell("cat; ls /proc/$$/fd | tr '\\n' ' '; grep -E 'SigBlk|SigIgn' "
                            "/proc/$$/status | tr -d '\\n\\t'")),
              testing::MatchesRegex("0 1 2 SigBlk:0*SigIgn:0*(180000000)?"));
  std::signal(SIGPIPE, before);
  ::close(inherited);
}

TEST(TokenCommand, SaysHowItFailed) {
  const std::string exited = failure(shell("echo hunter2; echo 'no\tsuch user' >&2; exit 3"));
  EXPECT_EQ(exited,
            "source.oauth_token_command: /bin/sh ended with exit status 3; its stderr: no such "
            "user ");
  EXPECT_THAT(failure(shell("kill -TERM $$")), HasSubstr("was ended by signal 15"));
  EXPECT_THAT(failure(shell("echo")), HasSubstr("printed no token"));
  EXPECT_THAT(failure(shell("echo why >&2")), HasSubstr("printed no token; its stderr: why"));
  EXPECT_THROW(printed({"/nowhere/token"}), config::SettingsError);
  EXPECT_THROW(printed({"/etc/passwd"}), config::SettingsError);
}

TEST(TokenCommand, TakesNoMoreThanItsLimits) {
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(failure(shell("yes hunter2")),
              AllOf(HasSubstr("printed more than a token"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(failure(shell("yes why >&2"), 200ms), HasSubstr("did not end within 200 ms"));
  EXPECT_LT(failure(shell("yes why | head -c 1000000 >&2; exit 1")).size(), 1000u);
  EXPECT_THAT(failure(shell("echo waiting >&2; sleep 60"), 200ms),
              HasSubstr("did not end within 200 ms; its stderr: waiting"));
  // Nobody waits for what is left behind with the pipe in its hands.
  EXPECT_EQ(printed(shell("sleep 60 & echo token")), "token");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 30s);
}

TEST(TokenCommand, LeavesNothingBehind) {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("pids-" + std::to_string(::getpid()))).string();
  const std::string script =
      "sleep 60 & echo $! $$ > " + file + "; mv " + file + " " + file + ".done; wait";
  {
    asio::io_context io;
    const auto command = shell(script);
    asio::co_spawn(io, run_token_command(command, 30s), asio::detached);
    while (!std::filesystem::exists(file + ".done")) io.run_for(10ms);
  }  // as when the daemon ends
  pid_t child = 0, leader = 0;
  std::ifstream(file + ".done") >> child >> leader;
  std::filesystem::remove(file + ".done");
  EXPECT_EQ(::kill(leader, 0), -1);
  for (int i = 0; i < 500 && ::kill(child, 0) == 0; ++i) {  // reaped by init, in its time
    std::ifstream status("/proc/" + std::to_string(child) + "/stat");
    if (std::string(std::istreambuf_iterator<char>(status), {}).find(") Z ") != std::string::npos) {
      return;
    }
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(::kill(child, 0), -1);
}

void ask_for_token(Peer& peer) {
  peer.read_untyped();
  peer.send(test::message('R', test::big_endian(10) + "OAUTHBEARER\0\0"s));
}

std::string token_message(const std::string& token) {
  const std::string response = "n,,\1auth=Bearer "s + token + "\1\1";
  return "pOAUTHBEARER\0"s + test::big_endian(static_cast<std::uint32_t>(response.size())) +
         response;
}

ScriptedServer::Script expects(const std::string& token) {
  return [token](Peer& peer) {
    ask_for_token(peer);
    EXPECT_EQ(peer.read_message(), token_message(token));
    peer.send(test::welcome());
    peer.read_message();
  };
}

void open(const config::ConnectionTarget& target) {
  asio::io_context io;
  Connection connection(io, 1024 * 1024);
  test::run(io, connection.open(target, Purpose::sql, {}));
}

template <typename Error>
std::string error_of(const config::ConnectionTarget& target) {
  try {
    open(target);
    return "opened";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(OAuthToken, IsReadAnewForEachConnection) {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("token-" + std::to_string(::getpid()))).string();
  ScriptedServer server({expects("one"), expects("two")}, ScriptedServer::Over::unix_socket);
  auto target = server.target();
  target.oauth_token_file = file;
  std::ofstream(file) << "one\n";
  open(target);
  std::ofstream(file) << "two\n";
  open(target);
  std::filesystem::remove(file);
}

TEST(OAuthToken, IsPrintedAnewForEachConnectionWhileTheDeadlineRests) {
  ScriptedServer server({expects("one"), expects("one")}, ScriptedServer::Over::unix_socket);
  auto target = server.target();
  target.connect_timeout = 300ms;
  target.oauth_token_command = shell("sleep 0.6; echo one");
  open(target);
  open(target);
}

TEST(OAuthToken, IsNotFetchedUnlessAskedFor) {
  ScriptedServer server({[](Peer& peer) { peer.accept_session(); }});
  auto target = server.target();
  target.oauth_token_command = shell("exit 1");
  EXPECT_EQ(error_of<std::exception>(target), "opened");
}

TEST(OAuthToken, IsNotFetchedForAConnectionInClear) {
  ScriptedServer server({[](Peer& peer) {
    ask_for_token(peer);
    EXPECT_EQ(peer.read_message(), "");
  }});
  auto target = server.target();
  target.oauth_token_command = shell("exit 1");
  EXPECT_THAT(error_of<protocol::AuthenticationError>(target), HasSubstr("without TLS"));
}

TEST(OAuthToken, ThatIsRefusedIsToldWithTheServersReason) {
  ScriptedServer server(
      {[](Peer& peer) {
        ask_for_token(peer);
        peer.read_message();
        peer.send(test::message('R', test::big_endian(11) + R"({"status":"invalid_token"})"));
        EXPECT_EQ(peer.read_message(), "p\1");
        peer.send(test::error_response("FATAL", "28000"));
      }},
      ScriptedServer::Over::unix_socket);
  auto target = server.target();
  target.oauth_token = "hunter2";
  EXPECT_THAT(error_of<protocol::AuthenticationError>(target),
              AllOf(HasSubstr("28000"), HasSubstr("invalid_token"), Not(HasSubstr("hunter2"))));
}

TEST(OAuthToken, FailuresOfTheCommandMayHeal) {
  ScriptedServer server({[](Peer& peer) {
                          ask_for_token(peer);
                          EXPECT_EQ(peer.read_message(), "");
                        }},
                        ScriptedServer::Over::unix_socket);
  auto target = server.target();
  target.oauth_token_command = shell("echo 'issuer is down' >&2; exit 1");
  EXPECT_THAT(error_of<ConnectionError>(target), HasSubstr("issuer is down"));
}

TEST(OAuthToken, MissingFileIsAMistakeInTheSettings) {
  ScriptedServer server({ask_for_token}, ScriptedServer::Over::unix_socket);
  auto target = server.target();
  target.oauth_token_file = "/nowhere/token";
  EXPECT_THAT(error_of<config::SettingsError>(target),
              AllOf(HasSubstr("source.oauth_token"), HasSubstr("/nowhere/token")));
}

}  // namespace
}  // namespace pgcourier::replication
