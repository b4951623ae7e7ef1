// The data path in one file: bytes in, events to the sinks, progress back.
#include "cdc/daemon/session.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "cdc/daemon/blocking.hpp"
#include "cdc/daemon/first_of.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/status_message.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "sinks/encoding/make_encoder.hpp"

namespace pgcourier::cdc::daemon {

using namespace std::chrono_literals;

namespace {

// How often time alone makes something happen.
constexpr auto tick = 100ms;

// Whoever takes over from us has the slot first (delivery.md 10).
std::exception_ptr two_pipelines(const std::string& name) {
  return std::make_exception_ptr(
      StopError(exit_settings,
                "Kafka has given our transactional.id to another producer while the slot is "
                "ours: two pipelines share one; give one of them another `name` than " +
                    name + ", or another sink `id`"));
}

}  // namespace

Session::Session(const SessionContext& context, std::chrono::milliseconds silence_timeout)
    : context_(context),
      spill_files_(context.settings.state_dir / "spill"),
      silence_timeout_(silence_timeout),
      drained_(context.io) {}

Session::~Session() { context_.status.detach(); }

asio::awaitable<SessionEnd> Session::run() {
  std::exception_ptr failure;
  bool reader_left = false;
  bool fenced = false;
  try {
    SessionStart start(context_, started_);
    co_await start.run();
    co_await stream_until_the_end();
    co_await close_orderly();
  } catch (const SinkError& error) {
    failure = std::current_exception();
    reader_left = error.failure() == SinkFailure::closed && pipeline_;
    fenced = error.failure() == SinkFailure::fenced && started_.sql;
  } catch (const StreamingGivenUp& reason) {
    log::warn(reason.what());
    context_.memory.next_without_streaming = true;
  } catch (...) {
    failure = std::current_exception();
  }
  // Also after a cancellation: sinks have threads to join.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (reader_left) co_await close_without_reader();
  if (fenced) {
    const SourceView view = co_await look_at_source();
    if (view == SourceView::walsender_there) failure = two_pipelines(context_.settings.name);
  }
  if (pipeline_) remember();
  context_.status.detach();
  pipeline_.reset();
  tell_notices();
  if (started_.stream) co_await cancel_what_is_asked(*started_.stream);
  if (started_.sql) co_await started_.sql->cancel_given_up();
  auto remains = std::move(started_);
  started_ = {};
  started_.bookmark_exists = remains.bookmark_exists;
  co_await discard(context_.workers, std::move(remains));
  if (failure) std::rethrow_exception(failure);
  if (context_.memory.next_without_streaming && !end_requested_) co_return SessionEnd::not_streamed;
  if (promoted_ && !end_requested_) co_return SessionEnd::promoted;
  co_return end_requested_ ? SessionEnd::stopped : SessionEnd::until_reached;
}

asio::awaitable<void> Session::stream_until_the_end() {
  encoder_ = sinks::encoding::make_encoder(context_.settings.format);
  std::vector<Pipeline::SinkStart> starts;
  for (std::size_t i = 0; i < started_.sinks.size(); ++i) {
    starts.push_back({started_.sinks[i].get(), started_.positions[i]});
  }
  pipeline_.emplace(
      std::move(starts), *encoder_, spill_files_,
      Pipeline::Settings{.filter = TableFilter(context_.settings.source.tables),
                         .in_flight_bytes = context_.settings.limits.in_flight_bytes,
                         .transaction_memory_bytes = context_.settings.limits.transaction_memory,
                         .until = started_.until,
                         .slot_at = started_.server.confirmed_flush,
                         .stream = started_.stream_options});
  feedback_.emplace(started_.server.confirmed_flush, status_interval(started_.wal_sender_timeout));
  context_.status.attach(*pipeline_);
  context_.status.enter(PipelineState::streaming, "streaming");
  log::info("streaming", {{"peer", started_.stream->peer()},
                          {"slot", context_.settings.source.slot},
                          {"confirmed_lsn", protocol::to_string(started_.server.confirmed_flush)}});
  last_heard_ = Clock::now();
  co_await first_of(read_loop(), sink_loop(), timer_loop(), watch_loop(), heartbeat_loop());
}

// --- Down: from the socket to the sinks ---

asio::awaitable<void> Session::read_loop() {
  auto& stream = *started_.stream;
  while (!stream.server_ended_copy()) {
    reading_ = true;
    co_await stream.read_some();
    reading_ = false;
    co_await consume_received();
    if (!stream.coalescing()) pipeline_->stop_lingering();
    turn(Clock::now());
  }
  if (!copy_done_sent_) {
    throw replication::ConnectionError("the server ended the stream, as it does when it stops");
  }
}

asio::awaitable<void> Session::consume_received() {
  const auto now = Clock::now();
  while (const auto copy_data = started_.stream->next_copy_data()) {
    last_heard_ = now;  // whole messages count: a server that drips bytes is silent
    asked_after_silence_ = false;
    context_.status.received(copy_data->size(), now);
    if (ending_) continue;  // read on to the server's CopyDone
    Consumed consumed = pipeline_->consume(*copy_data);
    while (consumed == Consumed::needs_types) {
      co_await describe_relation();
      consumed = pipeline_->consume(*copy_data);
    }
    switch (consumed) {
      case Consumed::done:
      case Consumed::needs_types:
        break;
      case Consumed::needs_catalog:
        co_await describe_relation();
        break;
      case Consumed::past_the_end:
        begin_end();
        break;
      case Consumed::must_replay:
        co_await replay_transaction();
        break;
    }
    if (pipeline_->must_spill()) co_await spill();
    if (pipeline_->saturated()) co_await wait_until_drained();
  }
  if (last_heard_ == now) bytes_when_silent_ = started_.stream->read_counts().bytes;
}

// A streamed transaction that has committed, while the socket stays unread.
asio::awaitable<void> Session::replay_transaction() {
  while (pipeline_->replays() && !ending_) {
    if (pipeline_->replay_waits_for_disk()) {
      co_await on_worker(context_.workers, [this] { pipeline_->load_replay(); });
    }
    const Consumed consumed = pipeline_->replay();
    if (consumed == Consumed::needs_catalog || consumed == Consumed::needs_types) {
      co_await describe_relation();
    }
    if (pipeline_->saturated()) {
      co_await wait_until_drained();
    } else {
      turn(Clock::now());
      co_await asio::post(context_.io, asio::use_awaitable);  // others get their turn
    }
  }
}

// Without room for them nothing more is read, as with any full disk; what was sent and not
// committed is nowhere else than at the server.
asio::awaitable<void> Session::spill() {
  std::string told;
  while (!ending_) {
    std::string failure;
    try {
      co_await on_worker(context_.workers, [this] { pipeline_->spill(); });
    } catch (const SpillError& error) {
      failure = error.what();
    }
    pipeline_->look_at_streamed();
    if (failure.empty()) {
      if (!told.empty()) context_.status.enter(PipelineState::streaming, "streaming");
      co_return;
    }
    if (failure != told) {
      log::error("no more is read until there is room for streamed transactions",
                 {{"reason", failure}});
      context_.status.enter(PipelineState::streaming, failure);
    }
    told = failure;
    co_await pause(context_.io, 1s);
  }
}

// Not reading is the back-pressure: the TCP window closes and the walsender waits. It still hears
// our status messages, which timer_loop() goes on sending.
asio::awaitable<void> Session::wait_until_drained() {
  turn(Clock::now());
  while (pipeline_->saturated() && !ending_) {
    drained_.expires_at(Clock::time_point::max());
    boost::system::error_code woken;
    co_await drained_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
}

// A new shape of a table: the catalog completes it, and each sink makes room for it.
asio::awaitable<void> Session::describe_relation() {
  const CatalogAnswer answer = co_await ask_catalog(pipeline_->question());
  const Relation* relation = pipeline_->describe(answer);
  if (!relation || relation->filtered_out) co_return;
  for (const auto& sink : started_.sinks) {
    auto* target = sink.get();
    co_await on_worker(context_.workers, [target, relation] { target->prepare(*relation); });
  }
}

// --- Up: from the sinks to the server ---

// Everything that happens between two looks at the socket; cheap when nothing has happened.
void Session::turn(Clock::time_point now) {
  tell_notices();
  pipeline_->collect();

  const bool asked = pipeline_->take_reply_requested();
  const bool near_the_end = ending_ || (started_.until && pipeline_->received() >= *started_.until);
  if (asked || near_the_end || now - last_advance_ >= tick) {
    pipeline_->advance_bookmarks(now, asked || near_the_end);
    last_advance_ = now;
    pipeline_->collect();
  }

  feedback_->received(pipeline_->received());
  feedback_->durable(pipeline_->confirmable());
  if (asked) feedback_->reply_requested();
  if (!copy_done_sent_) {
    if (const auto status = feedback_->due(now)) {
      made_progress_ = made_progress_ || status->flush > started_.server.confirmed_flush;
      send_status(*started_.stream, *status, false);
      context_.status.confirmed(std::max(status->flush, started_.server.confirmed_flush), now);
    }
  }
  context_.status.server_at(pipeline_->received());

  for (const auto& sink : started_.sinks) {
    for (const auto& warning : sink->take_warnings()) log::warn(warning, {{"sink", sink->id()}});
  }
  for (const auto& column : encoder_->take_unfitting()) {
    log::warn("a composite from before its type was altered is given as PostgreSQL's text",
              {{"column", column}});
  }

  // A bookmark may cover it before this session's server has told of it, and then can't confirm it.
  if (started_.until && !ending_ &&
      std::min(pipeline_->confirmable(), pipeline_->received()) >= *started_.until) {
    begin_end();
  }
  if (ending_) end_copy_when_settled();
  if (!pipeline_->saturated()) drained_.cancel();
}

// Woken by whichever sink has something to say: their descriptors are gathered in one.
asio::awaitable<void> Session::sink_loop() {
  const int gathered = ::epoll_create1(EPOLL_CLOEXEC);
  if (gathered < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  asio::posix::stream_descriptor descriptor(context_.io, gathered);
  for (const auto& sink : started_.sinks) {
    if (sink->ready_fd() < 0) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(gathered, EPOLL_CTL_ADD, sink->ready_fd(), &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
  }
  for (;;) {
    co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    turn(Clock::now());
  }
}

asio::awaitable<void> Session::timer_loop() {
  for (;;) {
    co_await pause(context_.io, tick);
    turn(Clock::now());
  }
}

// --- The end ---

bool Session::request_end() {
  if (!pipeline_) return false;
  end_requested_ = true;
  context_.status.enter(PipelineState::stopping, "delivering what was received");
  begin_end();
  return true;
}

void Session::begin_end() {
  if (ending_) return;
  ending_ = true;
  end_deadline_ = Clock::now() + context_.settings.shutdown_timeout;
  pipeline_->flush();
  drained_.cancel();
}

// Last status, then CopyDone: read_loop() ends with the server's own.
void Session::end_copy_when_settled() {
  const bool too_late = end_requested_ && Clock::now() > end_deadline_;
  if (copy_done_sent_) {
    if (!too_late) return;
    throw replication::ConnectionError("the server did not end the stream within shutdown_timeout");
  }
  if (!pipeline_->settled()) {
    if (!too_late) return;
    throw replication::ConnectionError(
        "the sinks did not take all within shutdown_timeout: the rest stays unconfirmed and comes"
        " again");
  }
  const auto status = feedback_->final_status();
  send_status(*started_.stream, status, false);
  context_.status.confirmed(std::max(status.flush, started_.server.confirmed_flush), Clock::now());
  started_.stream->send_copy_done();
  copy_done_sent_ = true;
}

}  // namespace pgcourier::cdc::daemon
