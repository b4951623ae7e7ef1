// What is left to do when nothing more is taken from the stream: sinks closed, the last
// confirmation looked at, what the next session must know.
#include <exception>

#include "cdc/daemon/blocking.hpp"
#include "cdc/daemon/log.hpp"
#include "cdc/daemon/server_view.hpp"
#include "cdc/daemon/session.hpp"
#include "cdc/daemon/status_message.hpp"
#include "cdc/daemon/stop_error.hpp"
#include "replication/catalog.hpp"
#include "sinks/sink_factory.hpp"

namespace pgcourier::cdc::daemon {

asio::awaitable<void> Session::close_orderly() {
  if (promoted_) {
    co_await identify_server(*started_.stream, context_.settings.source.slot, started_.server);
  }
  co_await started_.stream->terminate();
  for (const auto& sink : started_.sinks) {
    auto* target = sink.get();
    co_await on_worker(context_.workers, [target] { target->close(); });
  }
  if (promoted_) co_await adopt_timeline();
  if (started_.until && !end_requested_ && !promoted_) {
    const auto sql = co_await started_.sql->lease();
    const auto slot = co_await replication::find_slot(*sql, context_.settings.source.slot);
    if (!slot || !slot->confirmed_flush_lsn || *slot->confirmed_flush_lsn < *started_.until) {
      throw StopError(exit_internal, "the server did not take the last confirmation up to " +
                                         protocol::to_string(*started_.until));
    }
  }
  co_await started_.sql->close();
}

// Nobody reads stdout any more. What the other sinks have is finished, what stdout did not take
// stays unconfirmed.
asio::awaitable<void> Session::close_without_reader() {
  try {
    if (!copy_done_sent_) {
      send_status(*started_.stream, feedback_->final_status(), false);
      started_.stream->send_copy_done();
    }
    co_await started_.stream->terminate();
  } catch (const std::exception& error) {
    log::warn("the stream did not end orderly", {{"error", std::string_view(error.what())}});
  }
  for (const auto& sink : started_.sinks) {
    auto* target = sink.get();
    try {
      co_await on_worker(context_.workers, [target] { target->close(); });
    } catch (const std::exception& error) {
      log::info("the sink ended", {{"sink", target->id()}, {"reason", error.what()}});
    }
  }
}

// All that was delivered came from this one server: what came after the promotion is of its new
// timeline, what came before of both.
asio::awaitable<void> Session::adopt_timeline() {
  auto sinks = sinks::make_sinks(context_.settings, context_.memory.sinks);
  for (const auto& sink : sinks) {
    if (!sink->keeps_bookmark()) continue;
    auto* target = sink.get();
    auto bookmark = co_await on_worker(context_.workers, [target] { return target->open(); });
    if (!bookmark) continue;
    bookmark->identity.timeline = started_.server.identity.timeline;
    const auto* adopted = &*bookmark;
    co_await on_worker(context_.workers, [target, adopted] {
      target->start(*adopted);
      target->close();
    });
  }
  auto* done = &sinks;
  co_await on_worker(context_.workers, [done] { done->clear(); });
}

void Session::remember() const {
  for (const auto& view : pipeline_->sinks()) {
    auto& sum = context_.memory.sums[view.sink->id()];
    sum.totals.add(view.sink->totals());
    sum.confirmed = view.bookmarked;
    ++sum.sessions;
    if (view.sink->keeps_bookmark()) continue;
    context_.memory.positions[view.sink->id()] = {started_.server.identity, view.durable};
  }
}

}  // namespace pgcourier::cdc::daemon
