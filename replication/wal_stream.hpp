// Physical replication, §55.4: START_REPLICATION … PHYSICAL, to the end of a timeline.
#pragma once

#include <optional>

#include "protocol/replication_commands.hpp"
#include "protocol/replication_messages.hpp"
#include "protocol/replication_results.hpp"
#include "replication/connection.hpp"

namespace pgcourier::replication {

// Positions are the first byte *after* what is written, flushed, applied.
struct WalProgress {
  protocol::Lsn write;
  protocol::Lsn flush;  // what the slot may forget, and synchronous commits wait for
  protocol::Lsn apply;

  friend bool operator==(const WalProgress&, const WalProgress&) = default;
};

// Takes WAL as it comes.
class WalReceiver {
 public:
  virtual ~WalReceiver() = default;

  // Without gaps, from the position asked for on. Views are valid during the call. What it throws
  // ends the stream as it is; the connection is only good for destruction then.
  virtual void receive(const protocol::XLogData& wal) = 0;
  // After each read from the server, with all it brought received: told to the server if it has
  // changed, or the server asks. `feedback` of a hot standby goes out with it.
  virtual WalProgress progress() = 0;
  virtual std::optional<protocol::HotStandbyFeedback> feedback() { return std::nullopt; }
  // Asked after progress(): ends the stream, with what the server has sent by then.
  virtual bool enough() const { return false; }
};

// Streams until the server's timeline ends, the receiver has enough, or an exception. Gives the
// next timeline and where the server switched to it: at the end of a timeline that is not the
// server's latest, at once if `start` is exactly there. Nothing otherwise. The connection takes
// commands again.
asio::awaitable<std::optional<protocol::TimelinePosition>> stream_wal(
    Connection& connection, const protocol::StartPhysicalReplication& options,
    WalReceiver& receiver);

}  // namespace pgcourier::replication
