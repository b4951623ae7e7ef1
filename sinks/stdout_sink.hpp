// JSON lines to a descriptor that is already open: standard output, for pipes and `tail`.
#pragma once

#include <string>

#include "cdc/sink.hpp"
#include "sinks/line_stream.hpp"
#include "sinks/worker.hpp"

namespace pgcourier::sinks {

// Durable means that write(2) returned; there is no bookmark. A pipe nobody empties blocks the
// worker's thread only; a closed one is SinkFailure::closed.
class StdoutSink : public cdc::Sink {
 public:
  // `stream` outlives the sink, and all sessions.
  StdoutSink(std::string id, LineStream& stream) : id_(std::move(id)), stream_(stream) {}

  const std::string& id() const override { return id_; }
  std::optional<cdc::Bookmark> peek_bookmark() override { return std::nullopt; }
  bool keeps_bookmark() const override { return false; }
  std::optional<cdc::Bookmark> open() override { return std::nullopt; }
  void start(const cdc::Bookmark& bookmark) override;
  void prepare(const cdc::Relation&) override {}
  cdc::Written write(const cdc::EncodedEvent& event, cdc::TransactionNumber transaction) override {
    return worker_.append(event.record.value, transaction);
  }
  void commit(cdc::TransactionNumber, protocol::Lsn end_lsn) override { worker_.end_unit(end_lsn); }
  void advance(const cdc::Position& position) override { worker_.advance(position); }
  void flush() override { worker_.flush(); }
  int ready_fd() const override { return worker_.ready_fd(); }
  void collect(cdc::Progress& progress) override { worker_.collect(progress); }
  void close() override { worker_.finish(); }
  cdc::SinkTotals totals() const override { return worker_.totals(); }
  std::string stalled_because() const override { return worker_.waiting().reason(); }

 private:
  std::string id_;
  LineStream& stream_;
  Worker worker_;
};

}  // namespace pgcourier::sinks
