#include "replication/message_stream.hpp"

namespace pgcourier::replication {
namespace {

// A server that is always ahead of us must not keep timers, sinks and what we send from their turn.
asio::awaitable<void> let_others_run() {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

}  // namespace

std::size_t MessageStream::read_now() {
  buffer_.make_room(bytes_needed_);
  const std::size_t bytes = transport_->try_read(buffer_.free_begin(), buffer_.free_bytes());
  buffer_.received(bytes);
  ++counts_.reads;
  counts_.bytes += bytes;
  return bytes;
}

asio::awaitable<void> MessageStream::read_some() {
  bool suspended = false;
  while (read_now() == 0) {
    ++counts_.waits;
    co_await transport_->wait_readable();
    suspended = true;
  }
  if (!suspended) co_await let_others_run();
}

asio::awaitable<void> MessageStream::read_some_or_sent(std::size_t unsent) {
  if (read_now() == 0 && transport_->unsent_bytes() > unsent) {
    ++counts_.waits;
    co_await transport_->wait_readable_or_sent(unsent);
  } else {
    co_await let_others_run();
  }
}

asio::awaitable<void> MessageStream::read_coalesced() {
  using Clock = ReadPolicy::Clock;
  // Came with the answer to the query before it, say: the server may send nothing more for long.
  if (protocol::frame_message(buffer_.unread(), max_bytes_).message) co_return;
  const auto executor = co_await asio::this_coro::executor;
  bool suspended = false;
  for (;;) {
    const auto pause = policy_.pause(Clock::now());
    if (pause > Clock::duration::zero()) {
      ++counts_.sleeps;
      asio::steady_timer timer(executor, pause);
      co_await timer.async_wait(asio::use_awaitable);
      suspended = true;
    }
    const std::size_t bytes = read_now();
    policy_.after_read(bytes, Clock::now());
    if (bytes > 0) break;
    ++counts_.waits;
    co_await transport_->wait_readable();
    suspended = true;
  }
  if (!suspended) co_await let_others_run();
}

asio::awaitable<protocol::FramedMessage> MessageStream::next() {
  for (;;) {
    if (const auto message = next_buffered()) co_return *message;
    co_await read_some();
  }
}

asio::awaitable<std::optional<protocol::ByteView>> MessageStream::unframed_error() {
  for (;;) {
    const auto framing = protocol::frame_unframed_error(buffer_.unread(), max_bytes_);
    if (!framing) co_return std::nullopt;
    if (framing->message) co_return framing->message->body;
    bytes_needed_ = framing->bytes_needed;
    co_await read_some();
  }
}

}  // namespace pgcourier::replication
