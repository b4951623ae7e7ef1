#include "cdc/daemon/daemon.hpp"

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>

#include "cdc/daemon/checks/settings_check.hpp"
#include "cdc/daemon/http_server.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/pipeline_status.hpp"
#include "cdc/daemon/retry_policy.hpp"
#include "cdc/daemon/session.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "cdc/daemon/version.hpp"
#include "sinks/sink_factory.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;

namespace {

// After shutdown_timeout: for what ends a session once that has passed.
constexpr auto leave_after = 1s;

// For a reader of stdout that is behind.
constexpr auto stdout_grace = 500ms;

void log_stopped(const NextStep& step) {
  log::error("stopped", {{"error", step.what},
                         {"kind", step.kind},
                         {"sqlstate", step.sqlstate},
                         {"exit_code", static_cast<std::int64_t>(step.exit_code)}});
}

// The program's life on its io thread.
class Daemon {
 public:
  Daemon(const RunRequest& request, config::Settings settings)
      : request_(request),
        settings_(std::move(settings)),
        workers_(settings_.sinks.size() + 1),
        status_(settings_),
        signals_(io_, SIGINT, SIGTERM, SIGHUP),
        retry_timer_(io_) {}

  int run() {
    // A reader that went away is an error of that write, not of the program.
    std::signal(SIGPIPE, SIG_IGN);
    // So is a file that may not grow any more (ulimit -f): it waits like a full disk.
    std::signal(SIGXFSZ, SIG_IGN);
    if (!settings_.http_listen.empty()) {
      http_.emplace(io_, settings_.http_listen, status_);
      log::info("listening", {{"url", http_->url()}});
    }
    asio::co_spawn(io_, watch_signals(), asio::detached);
    asio::co_spawn(io_, run_sessions(),
                   asio::bind_cancellation_slot(stop_.slot(), [this](std::exception_ptr error) {
                     if (error) fail(error);
                     signals_.cancel();
                     http_.reset();
                     io_.stop();
                   }));
    io_.run();
    workers_.join();
    log_sums();
    if (!sinks::end_stdout(stdout_grace)) log::warn("the last line on stdout is not whole");
    return exit_code_;
  }

 private:
  void log_sums() const {
    for (const auto& [id, sum] : memory_.sums) {
      log::info("sink closed", {{"sink", id},
                                {"events", sum.totals.events},
                                {"bytes", sum.totals.bytes},
                                {"undeliverable", sum.totals.undeliverable},
                                {"checksum", static_cast<std::uint64_t>(sum.totals.checksum)},
                                {"sessions", sum.sessions},
                                {"confirmed_lsn", protocol::to_string(sum.confirmed)}});
    }
  }

  asio::awaitable<void> run_sessions() {
    unsigned attempt = 0;
    auto silence_timeout = settings_.source.silence_timeout;
    for (;;) {
      const SessionContext context{io_, workers_, settings_, request_.options, status_, memory_};
      Session session(context, silence_timeout);
      session_ = &session;
      std::exception_ptr failure;
      auto end = SessionEnd::stopped;
      try {
        end = co_await session.run();
      } catch (...) {
        failure = std::current_exception();
      }
      session_ = nullptr;
      const bool again =
          reload_pending_ || end == SessionEnd::promoted || end == SessionEnd::not_streamed;
      if (!failure && !again) co_return;
      if (stopping_) {
        if (failure) failed_to_stop(failure);
        co_return;
      }
      if (!failure) {
        reload_pending_ = false;
        continue;
      }
      if (session.made_progress()) {
        attempt = 0;
        silence_timeout = settings_.source.silence_timeout;
      } else if (attempt < 4) {
        silence_timeout *= 2;
      }
      const auto step = next_step(failure, session.bookmark_exists());
      co_await wait_before_retry(step, attempt);
      if (!step.at_once) ++attempt;
      if (stopping_ || stopped_for_good_) co_return;
      status_.reconnecting();
    }
  }

  // What ended a session that was asked to end. Time would have healed it: the rest comes again.
  void failed_to_stop(std::exception_ptr error) {
    if (cancelled_) return;
    const auto step = next_step(error, false);
    if (step.retry || step.exit_code == exit_done) {
      log::warn("stopped before all was confirmed", {{"reason", step.what}, {"kind", step.kind}});
      return;
    }
    exit_code_ = step.exit_code;
    log_stopped(step);
  }

  // Decides what a failed session means; sets stopped_for_good_ or waits.
  asio::awaitable<void> wait_before_retry(NextStep step, unsigned attempt) {
    status_.failed(step);
    if (!step.retry || request_.options.no_retry) {
      exit_code_ = step.exit_code;
      stopped_for_good_ = true;
      if (step.exit_code == exit_done) {
        log::info("ended", {{"reason", step.what}});
      } else {
        log_stopped(step);
      }
      co_return;
    }
    const auto delay = step.at_once ? 0ms : retry_delay(attempt);
    log::warn("the session ended, trying again", {{"error", step.what},
                                                  {"kind", step.kind},
                                                  {"sqlstate", step.sqlstate},
                                                  {"retry_in_ms", std::int64_t{delay.count()}}});
    status_.enter(PipelineState::waiting_to_retry, step.what);
    retry_timer_.expires_after(delay);
    boost::system::error_code cut_short;
    co_await retry_timer_.async_wait(asio::redirect_error(asio::use_awaitable, cut_short));
  }

  asio::awaitable<void> watch_signals() {
    for (;;) {
      boost::system::error_code ended;
      const int signal =
          co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      if (ended) co_return;
      if (signal == SIGHUP) {
        reload();
      } else {
        stop(signal);
      }
    }
  }

  void stop(int signal) {
    // The second one: at once. Nothing is lost by it, what is unconfirmed comes again.
    if (stopping_) std::_Exit(128 + signal);
    stopping_ = true;
    log::info("stopping", {{"signal", std::int64_t{signal}}});
    status_.enter(PipelineState::stopping, "stopping");
    asio::co_spawn(io_, leave_at_the_deadline(), asio::detached);
    if (session_ && session_->request_end()) return;
    cancelled_ = true;
    stop_.emit(asio::cancellation_type::terminal);
  }

  // A call that blocks in a library can't be cancelled. Nothing is lost by leaving it: what is
  // unconfirmed comes again.
  asio::awaitable<void> leave_at_the_deadline() {
    asio::steady_timer timer(io_, settings_.shutdown_timeout + leave_after);
    co_await timer.async_wait(asio::use_awaitable);
    log::warn("left without an orderly end: something blocks for longer than shutdown_timeout");
    std::_Exit(exit_done);
  }

  // Log level, passwords, TLS files and filters. Passwords and TLS files are read at each
  // connection and may stand in `url` and `properties`, so those count from the next connection on;
  // other filters need another session.
  void reload() {
    try {
      auto loaded =
          config::load_settings(request_.settings_file, config::process_overrides(request_.set));
      check_settings(loaded.settings, loaded.warnings);
      for (const auto& warning : loaded.warnings) log::warn(warning);
      const bool other_filter = loaded.settings.source.tables != settings_.source.tables;
      log::set_level(loaded.settings.log.level);
      settings_.log = loaded.settings.log;
      settings_.source.url = loaded.settings.source.url;
      settings_.source.password_file = loaded.settings.source.password_file;
      settings_.source.oauth_token = loaded.settings.source.oauth_token;
      settings_.source.oauth_token_file = loaded.settings.source.oauth_token_file;
      settings_.source.oauth_token_command = loaded.settings.source.oauth_token_command;
      settings_.source.tables = loaded.settings.source.tables;
      take_properties(loaded.settings.sinks);
      log::info(
          "settings read again: log level and filters count now; passwords, TLS files, url and"
          " properties from the next connection on");
      if (other_filter) reload_pending_ = session_ && session_->request_end();
    } catch (const std::exception& error) {
      log::error("the settings can't be used, the old ones stay",
                 {{"error", std::string_view(error.what())}});
    }
  }

  void take_properties(const std::vector<config::SinkSettings>& loaded) {
    for (std::size_t i = 0; i < std::min(loaded.size(), settings_.sinks.size()); ++i) {
      const auto* from = std::get_if<config::KafkaSettings>(&loaded[i]);
      auto* to = std::get_if<config::KafkaSettings>(&settings_.sinks[i]);
      if (from && to && from->id == to->id) to->properties = from->properties;
    }
  }

  void fail(std::exception_ptr error) {
    if (stopping_) return;  // cancelled by stop()
    const auto step = next_step(error, false);
    exit_code_ = step.exit_code;
    log_stopped(step);
  }

  const RunRequest& request_;
  config::Settings settings_;
  asio::io_context io_{1};
  asio::thread_pool workers_;
  PipelineStatus status_;
  RunMemory memory_;
  std::optional<HttpServer> http_;
  asio::signal_set signals_;
  asio::steady_timer retry_timer_;
  asio::cancellation_signal stop_;
  Session* session_ = nullptr;
  bool stopping_ = false;
  bool cancelled_ = false;  // stopped before there was anything to end orderly
  bool stopped_for_good_ = false;
  bool reload_pending_ = false;
  int exit_code_ = exit_done;
};

}  // namespace

int run_daemon(const RunRequest& request) {
  try {
    auto loaded =
        config::load_settings(request.settings_file, config::process_overrides(request.set));
    log::init(loaded.settings.log.level, loaded.settings.log.format);
    check_settings(loaded.settings, loaded.warnings);
    for (const auto& warning : loaded.warnings) log::warn(warning);
    log::info("starting", {{"name", loaded.settings.name}, {"version", version}});
    return Daemon(request, std::move(loaded.settings)).run();
  } catch (const std::exception&) {
    const auto step = next_step(std::current_exception(), false);
    log_stopped(step);
    return step.exit_code;
  }
}

}  // namespace pgcourier::cdc::daemon
