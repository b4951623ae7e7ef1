// The bookkeeping around the changes: positions, sinks, limits. The changes themselves:
// pipeline_changes.cpp.
#include "cdc/pipeline.hpp"

#include <algorithm>
#include <utility>

namespace pgcourier::cdc {

using namespace std::chrono_literals;
using protocol::Lsn;

namespace {

// What a record costs beside its payload: queue entries here and in librdkafka.
constexpr std::size_t record_overhead_bytes = 256;

// A bookmark moved by silence alone is written this often.
constexpr auto idle_bookmark_interval = 10s;

// Between two commits that are remembered for the lag, and how many are before every other one is
// forgotten and the time between them doubled.
constexpr std::int64_t commit_sample_microseconds = 100'000;
constexpr std::size_t most_commit_samples = 4096;

}  // namespace

Pipeline::Pipeline(std::vector<SinkStart> sinks, Encoder& encoder, SpillStore& spill_store,
                   Settings settings)
    : decoder_(settings.stream),
      relations_(std::move(settings.filter)),
      encoder_(encoder),
      kept_limit_bytes_(settings.kept_bytes),
      in_flight_limit_bytes_(settings.in_flight_bytes),
      until_(settings.until),
      slot_at_(settings.slot_at),
      streamed_(settings.transaction_memory_bytes, spill_store) {
  for (const auto& [sink, position] : sinks) {
    sinks_.push_back(
        {sink, AckTracker(position), position.position, position, position.position, 0, false});
  }
}

Consumed Pipeline::consume(protocol::ByteView copy_data) {
  if (!copy_data.empty() && copy_data.front() == protocol::primary_keepalive_type) {
    on_keepalive(protocol::read_primary_keepalive(copy_data));
    return Consumed::done;
  }
  const auto data = protocol::read_xlog_data(copy_data);
  if (streamed_.in_piece() && keep_for_replay(data)) return Consumed::done;
  return take(data.start, data.payload);
}

Consumed Pipeline::take(Lsn lsn, protocol::ByteView payload) {
  change_lsn_ = lsn;
  message_ = payload;
  return std::visit([this](const auto& message) { return on(message); }, decoder_.decode(payload));
}

// What a keepalive tells is true of all that came before it in the stream.
void Pipeline::on_keepalive(const protocol::PrimaryKeepalive& keepalive) {
  reply_requested_ = reply_requested_ || keepalive.reply_requested;
  received_ = std::max(received_, keepalive.end);
  for (auto& state : sinks_) state.tracker.sent_up_to(keepalive.end);
}

const Relation* Pipeline::describe(const CatalogAnswer& answer) {
  question_ = nullptr;
  const Relation* relation = relations_.add(answer);
  if (relations_.memory_bytes() > kept_limit_bytes_) throw TooManyTables();
  return relation;
}

void Pipeline::open_unit(Lsn lsn, bool done_at_equality) {
  every_sink_skips_ = true;
  for (auto& state : sinks_) {
    unit_ = state.tracker.begin();
    state.skips_unit = lsn < state.has_up_to || (done_at_equality && lsn == state.has_up_to);
    every_sink_skips_ = every_sink_skips_ && state.skips_unit;
  }
}

void Pipeline::close_unit(Lsn end_lsn) {
  received_ = std::max(received_, end_lsn);
  for (auto& state : sinks_) {
    if (!state.skips_unit) state.sink->commit(unit_, end_lsn);
    state.tracker.commit(end_lsn);
  }
  if (in_transaction_) sample_commit(end_lsn);
}

void Pipeline::sample_commit(Lsn end_lsn) {
  if (unconfirmed_.empty()) {
    sample_microseconds_ = commit_sample_microseconds;
  } else if (transaction_.commit_time.microseconds - unconfirmed_.back().commit_time.microseconds <=
             sample_microseconds_) {
    return;
  }
  unconfirmed_.push_back({end_lsn, transaction_.commit_time});
  if (unconfirmed_.size() < most_commit_samples) return;
  sample_microseconds_ *= 2;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < unconfirmed_.size(); i += 2) unconfirmed_[kept++] = unconfirmed_[i];
  unconfirmed_.resize(kept);
}

// Finishes the event that was held back and gives it to every sink that lacks it.
void Pipeline::hand_over(std::optional<Lsn> end_lsn) {
  if (!holds_event_) return;
  holds_event_ = false;
  const EncodedEvent& event = encoder_.finish(end_lsn);
  for (auto& state : sinks_) {
    if (state.skips_unit) continue;
    expect(state, state.sink->write(event, unit_));
  }
}

// What can't be encoded is each sink's to judge; with none of them is it only left out.
void Pipeline::hand_over_unencodable(const ChangeEvent& event, const char* problem) {
  const UnencodableEvent given{
      .problem = problem,
      .relation = event.relation,
      .message = message_,
      .lsn = event.lsn,
      .commit_lsn = in_transaction_ ? transaction_.commit_lsn : event.lsn,
      .seq = event.seq,
  };
  for (auto& state : sinks_) {
    if (!state.skips_unit) expect(state, state.sink->write_unencodable(given, unit_));
  }
}

void Pipeline::expect(SinkState& state, const Written& written) {
  state.tracker.expect(written.deliveries);
  const auto held = written.bytes + record_overhead_bytes * written.deliveries;
  state.in_flight_bytes += held;
  in_flight_bytes_ += held;
}

void Pipeline::collect() {
  for (auto& state : sinks_) {
    progress_.deliveries.clear();
    progress_.freed_bytes = 0;
    progress_.freed_records = 0;
    progress_.bookmarked.reset();
    state.sink->collect(progress_);

    for (const auto& delivery : progress_.deliveries) state.tracker.acknowledge(delivery);
    const std::size_t freed =
        progress_.freed_bytes + record_overhead_bytes * progress_.freed_records;
    if (freed > state.in_flight_bytes) {
      throw SinkError(SinkFailure::internal,
                      "sink " + state.sink->id() + ": more bytes were given back than it held");
    }
    state.in_flight_bytes -= freed;
    in_flight_bytes_ -= freed;
    if (progress_.bookmarked) {
      state.bookmarked = std::max(state.bookmarked, *progress_.bookmarked);
    }
  }
  const Lsn confirmed = confirmable();
  while (!unconfirmed_.empty() && unconfirmed_.front().end_lsn <= confirmed) {
    unconfirmed_.pop_front();
  }
}

void Pipeline::advance_bookmarks(Time now, bool force) {
  const bool quiet_too = force || now - bookmarks_advanced_ >= idle_bookmark_interval;
  if (quiet_too) bookmarks_advanced_ = now;
  for (auto& state : sinks_) {
    const Position& durable = state.tracker.durable();
    Position wanted = durable;
    if (!quiet_too && state.sink->keeps_bookmark()) {
      wanted.position = std::max(durable.delivered, state.requested.position);
    }
    if (wanted == state.requested) continue;
    state.requested = wanted;
    state.sink->advance(wanted);
  }
}

void Pipeline::stop_lingering() {
  for (auto& state : sinks_) state.sink->stop_lingering();
}

void Pipeline::flush() {
  for (auto& state : sinks_) state.sink->flush();
}

bool Pipeline::saturated() {
  saturated_ =
      in_flight_bytes_ >= (saturated_ ? in_flight_limit_bytes_ / 2 : in_flight_limit_bytes_);
  return saturated_;
}

Lsn Pipeline::confirmable() const {
  Lsn lowest{UINT64_MAX};
  for (const auto& state : sinks_) lowest = std::min(lowest, state.bookmarked);
  return lowest;
}

std::optional<protocol::PgTime> Pipeline::oldest_unconfirmed_commit() const {
  if (!unconfirmed_.empty()) return unconfirmed_.front().commit_time;
  return in_transaction_ ? std::optional(transaction_.commit_time) : std::nullopt;
}

bool Pipeline::take_reply_requested() { return std::exchange(reply_requested_, false); }

bool Pipeline::settled() const {
  return std::all_of(sinks_.begin(), sinks_.end(), [](const SinkState& state) {
    return state.sink->waits_for_more() || (!state.tracker.waits_for_whole_units() &&
                                            state.bookmarked >= state.tracker.durable().position);
  });
}

std::vector<Pipeline::SinkView> Pipeline::sinks() const {
  std::vector<SinkView> views;
  views.reserve(sinks_.size());
  for (const auto& state : sinks_) {
    views.push_back({state.sink, state.tracker.durable(), state.bookmarked, state.in_flight_bytes});
  }
  return views;
}

}  // namespace pgcourier::cdc
