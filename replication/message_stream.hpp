// Whole messages of the server out of a transport, §55.1.1.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "protocol/message_framer.hpp"
#include "replication/asio.hpp"
#include "replication/read_buffer.hpp"
#include "replication/read_counts.hpp"
#include "replication/read_policy.hpp"
#include "replication/transport.hpp"

namespace pgcourier::replication {

// Owned by one Connection. Views into a message are valid until the next co_await of this class.
class MessageStream {
 public:
  // `buffer_bytes`: the read buffer's usual size, which only a longer message exceeds.
  MessageStream(std::shared_ptr<Transport> transport, std::size_t buffer_bytes,
                std::size_t max_message_bytes)
      : transport_(std::move(transport)), buffer_(buffer_bytes), max_bytes_(max_message_bytes) {}

  Transport& transport() { return *transport_; }
  void limit_messages(std::size_t max_message_bytes) { max_bytes_ = max_message_bytes; }
  std::size_t max_message_bytes() const { return max_bytes_; }

  // A message that has arrived whole.
  std::optional<protocol::FramedMessage> next_buffered() {
    const protocol::Framing framing = protocol::frame_message(buffer_.unread(), max_bytes_);
    bytes_needed_ = framing.bytes_needed;
    if (framing.message) buffer_.consume(framing.message->size);
    return framing.message;
  }

  // After next_buffered() gave none.
  bool in_message() const { return !buffer_.unread().empty(); }

  asio::awaitable<protocol::FramedMessage> next();

  // Before the first next(): the server's error without a length, if it begins with one.
  asio::awaitable<std::optional<protocol::ByteView>> unframed_error();

  // At least one byte more. Always lets the io context run what else is ready.
  asio::awaitable<void> read_some();
  // The same, or returns once no more than `unsent` bytes wait to be sent.
  asio::awaitable<void> read_some_or_sent(std::size_t unsent);
  // The same for a stream of many small messages: leaves the socket alone as ReadPolicy decides,
  // and lets the others run as well.
  asio::awaitable<void> read_coalesced();
  bool coalescing() const { return policy_.coalescing(); }

  const ReadCounts& counts() const { return counts_; }

 private:
  std::size_t read_now();

  std::shared_ptr<Transport> transport_;
  ReadBuffer buffer_;
  std::size_t max_bytes_;
  std::size_t bytes_needed_ = 0;  // for the message at the buffer's front
  ReadPolicy policy_;
  ReadCounts counts_;
};

}  // namespace pgcourier::replication
