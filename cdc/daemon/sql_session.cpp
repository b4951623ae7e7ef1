#include "cdc/daemon/sql_session.hpp"

#include <exception>
#include <utility>

#include "cdc/daemon/log.hpp"
#include "cdc/daemon/server_notices.hpp"
#include "replication/session_settings.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;

namespace {

// Answers of the catalog are small; a list of ten thousand tables is not.
constexpr std::size_t max_answer_bytes = 64 * config::MiB;
// Locks that others hold included: a look at the catalog that takes longer is tried again.
constexpr std::chrono::milliseconds answer_limit = 60s;
constexpr std::chrono::milliseconds look_limit = 10s;

}  // namespace

asio::awaitable<void> cancel_what_is_asked(replication::Connection& connection) {
  if (connection.dialogue().idle() || connection.dialogue().in_copy_both()) co_return;
  try {
    co_await connection.cancel();
  } catch (const std::exception& error) {  // what made us give up matters more
    log::debug("what was asked could not be cancelled", {{"error", error.what()}});
  }
}

SqlSession::Lease::Lease(SqlSession& owner)
    : owner_(&owner), exceptions_(std::uncaught_exceptions()) {
  owner.lent_ = true;
}

SqlSession::Lease::Lease(Lease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), exceptions_(other.exceptions_) {}

SqlSession::Lease::~Lease() {
  if (!owner_) return;
  owner_->lent_ = false;
  if (owner_->connection_) log_notices(owner_->connection_->take_notices(), "sql");
  if (std::uncaught_exceptions() > exceptions_) owner_->given_up_ = std::move(owner_->connection_);
  owner_->returned_.cancel();
}

SqlSession::SqlSession(asio::io_context& io, config::ConnectionTarget target)
    : io_(io), target_(std::move(target)), returned_(io) {}

asio::awaitable<SqlSession::Lease> SqlSession::lease() {
  while (lent_) {
    returned_.expires_at(asio::steady_timer::time_point::max());
    boost::system::error_code woken;
    co_await returned_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
  Lease lease(*this);
  co_await cancel_given_up();
  if (!connection_) {
    connection_ = std::make_unique<replication::Connection>(io_, max_answer_bytes);
    co_await connection_->open(target_, replication::Purpose::sql, replication::session_settings());
  }
  connection_->limit_answers(answer_limit);
  co_return lease;
}

asio::awaitable<void> SqlSession::cancel_given_up() {
  if (!given_up_) co_return;
  const auto connection = std::exchange(given_up_, nullptr);
  co_await cancel_what_is_asked(*connection);
}

asio::awaitable<void> SqlSession::close() {
  if (!connection_ || lent_) co_return;
  const auto connection = std::exchange(connection_, nullptr);
  co_await connection->terminate();
}

asio::awaitable<void> give_up_on_sql(asio::io_context& io) {
  co_await pause(io, look_limit);
  throw replication::ConnectionError("no answer on the second connection");
}

asio::awaitable<void> pause(asio::io_context& io, std::chrono::milliseconds duration) {
  asio::steady_timer timer(io, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace pgcourier::cdc::daemon
