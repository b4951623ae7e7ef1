#include "replication/oauth_token.hpp"

#include "config/replacement.hpp"
#include "replication/command_process.hpp"

namespace pgcourier::replication {

bool has_oauth_token(const config::ConnectionTarget& target) {
  return !target.oauth_token.empty() || has_fresh_oauth_token(target);
}

bool has_fresh_oauth_token(const config::ConnectionTarget& target) {
  return !target.oauth_token_file.empty() || !target.oauth_token_command.empty();
}

asio::awaitable<std::string> get_oauth_token(const config::ConnectionTarget& target) {
  if (!target.oauth_token_command.empty()) {
    co_return co_await run_token_command(target.oauth_token_command, token_command_limit);
  }
  if (target.oauth_token_file.empty()) co_return target.oauth_token;
  try {
    co_return config::read_text_file(target.oauth_token_file);
  } catch (const config::SettingsError& error) {
    throw config::SettingsError(std::string("source.oauth_token: ") + error.what());
  }
}

asio::awaitable<std::string> run_token_command(const std::vector<std::string>& command,
                                               std::chrono::milliseconds limit) {
  const auto executor = co_await asio::this_coro::executor;
  CommandProcess process(command, limit);
  asio::posix::stream_descriptor waiter(executor, process.share_events());
  while (!process.ended()) {
    boost::system::error_code error;
    co_await waiter.async_wait(asio::posix::descriptor_base::wait_read,
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) throw TokenCommandError("source.oauth_token_command: " + error.message());
    process.proceed();
  }
  co_return process.take_output();
}

}  // namespace pgcourier::replication
