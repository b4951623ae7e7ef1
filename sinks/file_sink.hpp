// JSON lines in files, each committed change in them exactly once; contract.md, "Files".
#pragma once

#include <optional>
#include <string>

#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "sinks/file_names.hpp"
#include "sinks/file_recovery.hpp"
#include "sinks/file_writer.hpp"
#include "sinks/worker.hpp"

namespace pgcourier::sinks {

// Durable means that fsync returned. A transaction's last line carries its end, so the bookmark
// file is written only for positions without an event, at the end of a file and at close().
class FileSink : public cdc::Sink {
 public:
  // `name` is the pipeline's: the files' prefix.
  FileSink(const config::FilesSettings& settings, const std::string& name);

  const std::string& id() const override { return settings_.id; }
  std::optional<std::filesystem::path> lock_path() const override { return names_.lock(); }
  std::optional<cdc::Bookmark> peek_bookmark() override { return peek(names_); }
  bool keeps_bookmark() const override { return true; }
  std::optional<cdc::Bookmark> open() override;
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
  config::FilesSettings settings_;
  FileNames names_;
  Recovered recovered_;
  Worker worker_;
};

}  // namespace pgcourier::sinks
