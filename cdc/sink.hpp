// Where change events go. Implemented in sinks/; nothing here knows Kafka or files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdc/bookmark.hpp"
#include "cdc/record.hpp"
#include "protocol/lsn.hpp"

namespace pgcourier::cdc {

// Counts the units (transactions, non-transactional messages) of this session, from 0; ties a
// delivery back to its unit.
using TransactionNumber = std::uint64_t;

// Why a sink cannot go on; the daemon's retry_policy turns it into "again" or an exit code.
enum class SinkFailure : std::uint8_t {
  unavailable,    // time or an operator outside heals it: broker away, disk full, ACL (exit 69)
  once_more,      // the next session will do it another way: at once
  undeliverable,  // one record can't be delivered under the policy (exit 65)
  not_permitted,  // folder or file (exit 77)
  settings,       // settings and sink contradict each other: partition count changed (exit 78)
  fenced,         // Kafka has given our transactional.id to somebody else (delivery.md 10)
  bookmark,       // the bookmark is torn, or data is there without one (exit 66)
  closed,         // nobody reads any more (EPIPE on stdout): an orderly end (exit 0)
  internal,       // exit 70
};

// The sink cannot deliver. what() names the sink, the reason and the remedy, never the data.
class SinkError : public std::runtime_error {
 public:
  SinkError(SinkFailure failure, const std::string& what)
      : std::runtime_error(what), failure_(failure) {}

  SinkFailure failure() const { return failure_; }

 private:
  SinkFailure failure_;
};

using TableNames = std::vector<std::pair<std::string, std::string>>;  // schema, table

// What write() took on.
struct Written {
  std::size_t deliveries = 0;  // how many deliveries collect() will report for it
  std::size_t bytes = 0;       // held until collect() frees them
};

// `count` deliveries of `transaction` are now durable in the sink.
struct Delivery {
  TransactionNumber transaction = 0;
  std::size_t count = 0;
};

// What happened in a sink since the last collect(). Reused: collect() appends and overwrites.
struct Progress {
  std::vector<Delivery> deliveries;
  // No longer held: acknowledged, or written to the file (not yet necessarily durable).
  std::size_t freed_bytes = 0;
  std::size_t freed_records = 0;
  // What the sink's durable bookmark covers, if it moved.
  std::optional<protocol::Lsn> bookmarked;
};

// For the log line at the end of `run`, for metrics and the status page.
struct SinkTotals {
  std::uint64_t events = 0;         // records that became durable
  std::uint64_t bytes = 0;          // of their values, line ends included
  std::uint32_t checksum = 0;       // CRC-32 (zlib's) of the values handed over, each with a "\n"
  std::uint64_t undeliverable = 0;  // put with the dead letters or skipped

  // What a later session counted; the checksum is the last one's.
  void add(const SinkTotals& later) {
    events += later.events;
    bytes += later.bytes;
    checksum = later.checksum;
    undeliverable += later.undeliverable;
  }
};

// Takes events in commit order and reports each one once it is durable. One object lives for one
// replication session: after any failure, ours or the server's, a new one is made (delivery.md 4).
//
// Threads: the functions marked BLOCKING run on a worker thread, one at a time; meanwhile the io
// thread calls nothing, but for prepare(): there it may call everything but write() and commit().
// All others run on the io thread and never block; a sink that must wait has a thread of its own.
// Any function may throw SinkError.
//
// A sink never drops an event: it delivers, or throws.
class Sink {
 public:
  virtual ~Sink() = default;

  // The setting's id: label of metrics and logs, key of the bookmark.
  virtual const std::string& id() const = 0;

  // A file to hold a lock on (flock) while this sink is used, if any: see the daemon's
  // instance_lock.
  virtual std::optional<std::filesystem::path> lock_path() const { return std::nullopt; }

  // BLOCKING. Reads the bookmark and changes nothing. Empty: there is none, and no data either. A
  // sink without bookmarks (stdout, null) has keeps_bookmark() false and gives none.
  virtual std::optional<Bookmark> peek_bookmark() = 0;
  virtual bool keeps_bookmark() const = 0;

  // BLOCKING. With the slot and the locks held: repairs what a crash left behind, then reads the
  // bookmark, the data's own positions included.
  virtual std::optional<Bookmark> open() = 0;

  // BLOCKING, once after open() and the start check. Makes `bookmark` durable where it differs from
  // what open() gave. From here on events come.
  virtual void start(const Bookmark& bookmark) = 0;

  // BLOCKING, once after start(). The tables that are published now: what can be made ready, or be
  // found missing, before their first event.
  virtual void expect_tables(const TableNames&) {}

  // BLOCKING. Before the first event of `relation` (one call per version): topics are made or
  // checked here.
  virtual void prepare(const Relation& relation) = 0;

  // Queues the event, whose views die when this returns.
  virtual Written write(const EncodedEvent& event, TransactionNumber transaction) = 0;

  // In its turn among those of write(): an event that could not be encoded. A sink that has nowhere
  // else to put it throws.
  virtual Written write_unencodable(const UnencodableEvent& event, TransactionNumber transaction);

  // The transaction is whole; a file may end here.
  virtual void commit(TransactionNumber transaction, protocol::Lsn end_lsn) = 0;

  // Asks that the bookmark cover `position`. REQUIRES: all before it is durable here; it never
  // falls. Answered by Progress::bookmarked, at once or later.
  virtual void advance(const Position& position) = 0;

  // Nothing more is on its way just now: what waits only for more to come need not wait.
  virtual void stop_lingering() {}

  // Asks that what was written so far become durable soon, as before a shutdown.
  virtual void flush() = 0;

  // Becomes readable when collect() has something to say. -1: never, call collect() after write().
  virtual int ready_fd() const = 0;

  // Adds what happened since the last call.
  virtual void collect(Progress& progress) = 0;

  // BLOCKING. Ends orderly: nothing more is written, files and handles are closed. The destructor
  // alone ends abruptly, and may be called at any time after open().
  virtual void close() = 0;

  virtual SinkTotals totals() const = 0;

  // After flush(): what it holds of the open unit can become durable only with the rest of it, so
  // nobody need wait for the whole units beside it.
  virtual bool waits_for_more() const { return false; }

  // What the log is to say, since the last call. Without values.
  virtual std::vector<std::string> take_warnings() { return {}; }

  // Not empty while the sink is up but cannot make progress (broker away, disk full): for /readyz,
  // the log and metrics.
  virtual std::string stalled_because() const { return {}; }
};

inline Written Sink::write_unencodable(const UnencodableEvent& event, TransactionNumber) {
  throw SinkError(SinkFailure::undeliverable,
                  "sink " + id() + ": commit " + protocol::to_string(event.commit_lsn) + ", seq " +
                      std::to_string(event.seq) +
                      " has no encoding: " + std::string(event.problem));
}

}  // namespace pgcourier::cdc
