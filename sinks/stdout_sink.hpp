// JSON lines to a descriptor that is already open: standard output, for pipes and `tail`.
#pragma once

#include <string>

#include "cdc/sink.hpp"
#include "sinks/worker.hpp"

namespace pgcourier::sinks {

// Durable means that write(2) returned; there is no bookmark. A pipe nobody empties blocks the
// worker's thread only. REQUIRES: SIGPIPE is ignored; a closed pipe is SinkFailure::closed.
class StdoutSink : public cdc::Sink {
 public:
  // `fd` stays open and is not set non-blocking: others may share it.
  StdoutSink(std::string id, int fd) : id_(std::move(id)), fd_(fd) {}

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
  int fd_;
  Worker worker_;
};

}  // namespace pgcourier::sinks
