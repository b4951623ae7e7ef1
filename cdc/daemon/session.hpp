// One replication session: from the first connection until something ends it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cdc/daemon/session_start.hpp"
#include "cdc/daemon/spill_files.hpp"
#include "cdc/encoder.hpp"
#include "cdc/feedback.hpp"
#include "cdc/pipeline.hpp"

namespace pgcourier::cdc::daemon {

enum class SessionEnd {
  until_reached,  // all before --until-lsn is confirmed
  stopped,        // request_end() was called, and what could be confirmed was
  not_streamed,   // once more, without streaming: see StreamingGivenUp
  promoted,       // the standby it streamed from is a primary now, on a timeline of its own
};

// Owns everything that lives as long as the session. run() once; io thread only.
class Session {
 public:
  Session(const SessionContext& context, std::chrono::milliseconds silence_timeout);
  ~Session();

  // Returns after an orderly end; throws what ended it otherwise.
  asio::awaitable<SessionEnd> run();

  // Asks for an orderly end (delivery.md 11): stop reading, deliver, confirm. False: nothing
  // streams yet, so there is nothing to end orderly; cancel run() instead.
  bool request_end();

  // A bookmark of an earlier run was seen: what is missing now is a loss.
  bool bookmark_exists() const { return started_.bookmark_exists; }
  // Something was confirmed that was not before.
  bool made_progress() const { return made_progress_; }

 private:
  using Clock = std::chrono::steady_clock;

  // What the second connection shows.
  enum class SourceView { unknown, walsender_there, walsender_gone, shutting_down };

  // The loops of a streaming session; the first to end ends all.
  asio::awaitable<void> read_loop();
  asio::awaitable<void> sink_loop();
  asio::awaitable<void> timer_loop();
  asio::awaitable<void> watch_loop();
  asio::awaitable<void> heartbeat_loop();

  asio::awaitable<void> stream_until_the_end();
  asio::awaitable<void> consume_received();
  asio::awaitable<void> replay_transaction();
  asio::awaitable<void> spill();
  asio::awaitable<void> describe_relation();
  asio::awaitable<CatalogAnswer> ask_catalog(const CatalogQuestion& question);
  asio::awaitable<void> wait_until_drained();
  asio::awaitable<SourceView> look_at_source();
  asio::awaitable<void> look(SourceView& view);
  void notice_promotion();
  void tell_standby_wait(bool seen);
  asio::awaitable<void> beat(protocol::Lsn confirmed);
  asio::awaitable<void> close_orderly();
  asio::awaitable<void> close_without_reader();

  void turn(Clock::time_point now);
  void begin_end();
  void end_copy_when_settled();
  bool stands_in_message();
  bool ask_if_silent(Clock::time_point now);
  void tell_notices();
  void tell_stalls(Clock::time_point now);
  void require_connection() const;
  void remember() const;
  asio::awaitable<void> adopt_timeline();

  const SessionContext& context_;
  StartedSession started_;
  std::unique_ptr<Encoder> encoder_;
  SpillFiles spill_files_;
  std::optional<Pipeline> pipeline_;
  std::optional<Feedback> feedback_;

  bool ending_ = false;         // no more is taken from the stream
  bool end_requested_ = false;  // … because request_end() was called
  bool standby_wait_seen_ = false;
  bool promoted_ = false;  // … because the standby was promoted
  bool copy_done_sent_ = false;
  bool made_progress_ = false;
  Clock::time_point end_deadline_{};

  bool reading_ = false;  // the silence clock runs only while we read (delivery.md 6)
  Clock::time_point last_heard_{};
  std::uint64_t bytes_when_silent_ = 0;
  bool asked_after_silence_ = false;
  std::chrono::milliseconds silence_timeout_;

  // For each sink, when it was last told that it stalls; empty: it does not.
  std::vector<std::optional<Clock::time_point>> stalls_told_;

  Clock::time_point last_advance_{};
  asio::steady_timer drained_;  // cancelled when there is room again
};

}  // namespace pgcourier::cdc::daemon
