// The OAuth token for one connection: as written, from its file, or as a command prints it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/connection_string.hpp"
#include "replication/asio.hpp"
#include "replication/connection.hpp"

namespace pgcourier::replication {

// The command did not give a token. what() has how it ended and the end of what it wrote to stderr,
// never what it wrote to stdout. Time may heal it; another address or way to use TLS does not.
class TokenCommandError : public ConnectionError {
 public:
  using ConnectionError::ConnectionError;
};

constexpr std::chrono::milliseconds token_command_limit = std::chrono::seconds(30);

bool has_oauth_token(const config::ConnectionTarget& target);
// Whether each connection may get another one.
bool has_fresh_oauth_token(const config::ConnectionTarget& target);

// REQUIRES: has_oauth_token(target), and a target that outlives the coroutine. Throws SettingsError
// if the file can't be read or the program can't be started, else TokenCommandError.
asio::awaitable<std::string> get_oauth_token(const config::ConnectionTarget& target);

// What the command prints, without a newline at its end. It runs without a shell, in a process
// group of its own that does not outlive the coroutine; its stdin is empty and its environment
// ours. REQUIRES: `command` outlives the coroutine.
asio::awaitable<std::string> run_token_command(const std::vector<std::string>& command,
                                               std::chrono::milliseconds limit);

}  // namespace pgcourier::replication
