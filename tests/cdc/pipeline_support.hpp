// A sink that delivers when it is told to, an encoder that says what it was given, and a pipeline
// between them.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cdc/encoding_error.hpp"
#include "cdc/pipeline.hpp"
#include "tests/cdc/memory_spills.hpp"
#include "tests/cdc/pgoutput_bytes.hpp"

namespace pgcourier::test {

// "insert t#0", "update t#1 moved", "truncate t#2", "message #3 end=0/6E".
class FakeEncoder : public cdc::Encoder {
 public:
  void begin(const cdc::TransactionHeader& transaction) override {
    headers.push_back(std::string(transaction.origin));
    gids.push_back(std::string(transaction.gid));
  }

  void encode(const cdc::ChangeEvent& event) override {
    EXPECT_TRUE(finished_) << "the event before was not finished";
    if (event.relation && event.relation->table == has_no_encoding) {
      throw cdc::EncodingError(*event.relation, "no encoding");
    }
    finished_ = false;
    static constexpr const char* names[] = {"insert",          "update",           "delete",
                                            "truncate",        "message",          "prepare",
                                            "commit_prepared", "rollback_prepared"};
    text_ = names[static_cast<std::size_t>(event.operation)];
    text_ += ' ' + (event.relation ? event.relation->table : std::string());
    if (event.transactional) text_ += '#' + std::to_string(event.seq);
    if (event.key_changed) text_ += " moved";
    if (event.composites_are_text) text_ += " text";
  }

  const cdc::EncodedEvent& finish(std::optional<Lsn> end_lsn) override {
    EXPECT_FALSE(finished_);
    finished_ = true;
    if (end_lsn) text_ += " end=" + protocol::to_string(*end_lsn);
    encoded_.record.value = text_;
    return encoded_;
  }

  std::vector<std::string> take_unfitting() override { return {}; }

  std::string has_no_encoding;       // a table
  std::vector<std::string> headers;  // the origin of each begin()
  std::vector<std::string> gids;

 private:
  bool finished_ = true;
  std::string text_;
  cdc::EncodedEvent encoded_;
};

class FakeSink : public cdc::Sink {
 public:
  explicit FakeSink(std::string id, bool keeps_bookmark = true)
      : id_(std::move(id)), keeps_bookmark_(keeps_bookmark) {}

  const std::string& id() const override { return id_; }
  std::optional<cdc::Bookmark> peek_bookmark() override { return std::nullopt; }
  bool keeps_bookmark() const override { return keeps_bookmark_; }
  std::optional<cdc::Bookmark> open() override { return std::nullopt; }
  void start(const cdc::Bookmark&) override {}
  void prepare(const cdc::Relation&) override {}
  int ready_fd() const override { return -1; }
  void close() override {}
  cdc::SinkTotals totals() const override { return {}; }

  cdc::Written write(const cdc::EncodedEvent& event, cdc::TransactionNumber unit) override {
    lines.emplace_back(event.record.value);
    outstanding.push_back({unit, event_bytes});
    return {1, event_bytes};
  }
  cdc::Written write_unencodable(const cdc::UnencodableEvent& event,
                                 cdc::TransactionNumber unit) override {
    if (!takes_unencodable) return Sink::write_unencodable(event, unit);
    lines.push_back(std::string(event.problem) + " #" + std::to_string(event.seq) + " of " +
                    to_string(event.commit_lsn) + " at " + to_string(event.lsn) + ": " +
                    std::string(event.message));
    outstanding.push_back({unit, event_bytes});
    return {1, event_bytes};
  }
  void commit(cdc::TransactionNumber, Lsn end_lsn) override { commits.push_back(end_lsn); }
  void advance(const cdc::Position& position) override {
    asked.push_back(position);
    if (saves_bookmarks) progress_.bookmarked = position.position;
  }
  void flush() override { ++flushes; }
  void collect(cdc::Progress& progress) override {
    if (fails) throw cdc::SinkError(cdc::SinkFailure::unavailable, "it fails");
    progress.deliveries.insert(progress.deliveries.end(), progress_.deliveries.begin(),
                               progress_.deliveries.end());
    progress.freed_bytes += progress_.freed_bytes;
    progress.freed_records += progress_.freed_records;
    if (progress_.bookmarked) progress.bookmarked = progress_.bookmarked;
    progress_ = {};
  }

  // The n-th of those outstanding is durable, as the next collect() will tell.
  void deliver(std::size_t n = 0) {
    const auto at = outstanding.begin() + static_cast<std::ptrdiff_t>(n);
    progress_.deliveries.push_back({at->first, 1});
    progress_.freed_bytes += at->second;
    ++progress_.freed_records;
    outstanding.erase(at);
  }
  void deliver_all() {
    while (!outstanding.empty()) deliver();
  }
  void free_bytes(std::size_t bytes) { progress_.freed_bytes += bytes; }

  std::size_t event_bytes = 10;  // each event's weight
  bool saves_bookmarks = true;   // at once when asked to
  bool takes_unencodable = false;
  bool fails = false;
  std::vector<std::string> lines;
  std::vector<std::pair<cdc::TransactionNumber, std::size_t>> outstanding;  // unit, bytes
  std::vector<Lsn> commits;
  std::vector<cdc::Position> asked;
  std::size_t flushes = 0;

 private:
  std::string id_;
  bool keeps_bookmark_;
  cdc::Progress progress_;
};

// Two sinks behind one pipeline. Tables 1 `t` (id, note; key id) and 2 `u` (the same) are described
// by describe_tables().
class PipelineHarness {
 public:
  struct Options {
    Lsn first_at;  // where the sinks' bookmarks stand
    Lsn second_at;
    std::vector<std::string> tables = {};
    std::size_t limit = 1 << 20;
    std::optional<Lsn> until = std::nullopt;
    std::size_t transaction_memory = 1 << 20;
    Lsn slot_at = {};
    std::size_t kept_bytes = cdc::most_kept_bytes;
  };

  PipelineHarness() : PipelineHarness(Options{}) {}
  explicit PipelineHarness(const Options& options)
      : pipeline({{&first, {{}, options.first_at}}, {&second, {{}, options.second_at}}}, encoder,
                 spills,
                 cdc::Pipeline::Settings{.filter = cdc::TableFilter(options.tables),
                                         .in_flight_bytes = options.limit,
                                         .transaction_memory_bytes = options.transaction_memory,
                                         .kept_bytes = options.kept_bytes,
                                         .until = options.until,
                                         .slot_at = options.slot_at,
                                         .stream = {protocol::Streaming::on, true}}) {}

  cdc::Consumed take(const std::string& payload, Lsn start = {}) {
    return pipeline.consume(xlog_data(payload, start));
  }
  void hear(Lsn end, bool reply_requested = false) {
    pipeline.consume(keepalive(end, reply_requested));
  }

  const cdc::Relation* describe(const std::string& payload, const cdc::CatalogAnswer& answer = {}) {
    if (take(payload) != cdc::Consumed::needs_catalog) return nullptr;
    return pipeline.describe(answer);
  }
  void describe_tables() {
    describe(relation(1, "public", "t", 'd', {{"id", 23, true}, {"note", 25}}));
    describe(relation(2, "public", "u", 'd', {{"id", 23, true}, {"note", 25}}));
  }

  // A transaction of `inserts` rows into `t`.
  void transaction(Lsn commit_lsn, Lsn end_lsn, int inserts) {
    take(begin(commit_lsn));
    for (int i = 0; i < inserts; ++i) take(insert(1, {text("1"), null()}));
    take(commit(commit_lsn, end_lsn));
  }

  void settle(cdc::Pipeline::Time now = {}, bool force = true) {
    pipeline.collect();
    pipeline.advance_bookmarks(now, force);
    pipeline.collect();
  }

  // Every sink has made durable what it was given.
  void deliver_and_settle() {
    first.deliver_all();
    second.deliver_all();
    settle();
  }

  FakeEncoder encoder;
  FakeSink first{"first"};
  FakeSink second{"second"};
  MemorySpills spills;
  cdc::Pipeline pipeline;
};

}  // namespace pgcourier::test
