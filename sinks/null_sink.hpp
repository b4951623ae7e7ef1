// Takes everything and keeps nothing, for measuring: counts records and bytes and their checksum.
#pragma once

#include <memory>
#include <string>

#include "cdc/sink.hpp"
#include "sinks/record_checksum.hpp"

namespace pgcourier::sinks {

// All is durable at once; there is no thread and no bookmark.
class NullSink : public cdc::Sink {
 public:
  explicit NullSink(std::string id) : id_(std::move(id)) {}

  const std::string& id() const override { return id_; }
  std::optional<cdc::Bookmark> peek_bookmark() override { return std::nullopt; }
  bool keeps_bookmark() const override { return false; }
  std::optional<cdc::Bookmark> open() override { return std::nullopt; }
  void start(const cdc::Bookmark&) override {}
  void prepare(const cdc::Relation&) override {}
  cdc::Written write(const cdc::EncodedEvent& event, cdc::TransactionNumber transaction) override;
  void commit(cdc::TransactionNumber, protocol::Lsn) override {}
  void advance(const cdc::Position& position) override { progress_.bookmarked = position.position; }
  void flush() override {}
  int ready_fd() const override { return -1; }
  void collect(cdc::Progress& progress) override;
  void close() override {}
  cdc::SinkTotals totals() const override;

 private:
  std::string id_;
  cdc::Progress progress_;  // since the last collect()
  cdc::SinkTotals totals_;
  RecordChecksum checksum_;
};

}  // namespace pgcourier::sinks
