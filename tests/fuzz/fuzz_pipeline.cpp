// Any stream at all from the decoder to the sinks. The first byte says what was asked for and how
// little memory there is; then come messages, each after its length in two bytes: keepalives as
// they are, all else as the payload of an XLogData. A session may end by what session_limits.hpp
// has or by ProtocolError; until then every event is numbered, whole and in a transaction.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "cdc/pipeline.hpp"
#include "tests/cdc/memory_spills.hpp"
#include "tests/cdc/pgoutput_bytes.hpp"

namespace {

using namespace pgcourier;
using protocol::Lsn;

void require(bool holds) {
  if (!holds) std::abort();
}

class CheckingEncoder : public cdc::Encoder {
 public:
  void begin(const cdc::TransactionHeader& transaction) override {
    require(finished_ && transaction.commit_lsn > last_commit_);
    last_commit_ = transaction.commit_lsn;
    next_seq_ = 0;
  }
  void encode(const cdc::ChangeEvent& event) override {
    require(finished_);
    finished_ = false;
    if (event.transactional) {
      require(event.seq >= next_seq_);
      next_seq_ = event.seq + 1;
    }
    bytes_ = 0;
    for (const auto& row : {event.before, event.after}) {
      require(row.empty() || row.size() == event.relation->columns.size());
      for (const auto& value : row) bytes_ += std::string(value.bytes).size();
    }
    if (event.relation) bytes_ += event.relation->table.size();
  }
  const cdc::EncodedEvent& finish(std::optional<Lsn>) override {
    require(!finished_);
    finished_ = true;
    value_.assign(bytes_, 'v');
    encoded_.record.value = value_;
    return encoded_;
  }
  std::vector<std::string> take_unfitting() override { return {}; }

 private:
  bool finished_ = true;
  Lsn last_commit_;
  std::uint64_t next_seq_ = 0;
  std::size_t bytes_ = 0;
  std::string value_;
  cdc::EncodedEvent encoded_;
};

// All is durable at once.
class InstantSink : public cdc::Sink {
 public:
  const std::string& id() const override { return id_; }
  std::optional<cdc::Bookmark> peek_bookmark() override { return std::nullopt; }
  bool keeps_bookmark() const override { return true; }
  std::optional<cdc::Bookmark> open() override { return std::nullopt; }
  void start(const cdc::Bookmark&) override {}
  void prepare(const cdc::Relation&) override {}
  int ready_fd() const override { return -1; }
  void close() override {}
  cdc::SinkTotals totals() const override { return {}; }
  void flush() override {}

  cdc::Written write(const cdc::EncodedEvent& event, cdc::TransactionNumber unit) override {
    const std::size_t bytes = event.record.value.size();
    progress_.deliveries.push_back({unit, 1});
    progress_.freed_bytes += bytes;
    ++progress_.freed_records;
    return {1, bytes};
  }
  void commit(cdc::TransactionNumber, Lsn) override {}
  void advance(const cdc::Position& position) override { progress_.bookmarked = position.position; }
  void collect(cdc::Progress& progress) override {
    progress = progress_;
    progress_ = {};
  }

 private:
  std::string id_ = "instant";
  cdc::Progress progress_;
};

// What a catalog might say: a type is a composite, an array, a domain, or gone.
cdc::CatalogAnswer answer_to(const cdc::CatalogQuestion& question) {
  cdc::CatalogAnswer answer;
  for (const auto oid : question.type_oids) {
    cdc::TypeDescription type{.oid = oid, .name = "t"};
    switch (oid % 4) {
      case 0:
        type.kind = 'c';
        type.attributes = {{"a", 23}, {"itself", oid}};
        answer.composites.push_back({oid, "a", oid >> 8});
        break;
      case 1:
        type.element_oid = oid - 1;
        break;
      case 2:
        type.kind = 'd';
        type.base_oid = oid + 4;
        break;
      default:
        continue;
    }
    answer.types.push_back(std::move(type));
  }
  for (const auto oid : question.composites) answer.composites.push_back({oid, "b", oid >> 8});
  if (question.primary_key) answer.primary_key = {"id"};
  return answer;
}

class Session {
 public:
  explicit Session(std::uint8_t choice)
      : pipeline_({{&sink_, {}}}, encoder_, spills_,
                  {.filter = cdc::TableFilter({}),
                   .in_flight_bytes = 1 << 20,
                   .transaction_memory_bytes = (choice & 8) != 0 ? std::size_t{1} : 1 << 20,
                   .kept_bytes = (choice & 16) != 0 ? std::size_t{4096} : cdc::most_kept_bytes,
                   .slot_at = Lsn{(choice & 32) != 0 ? 0x1000U : 0U},
                   .stream = {static_cast<protocol::Streaming>((choice & 7) % 3),
                              (choice & 0x80) != 0}}) {}

  void take(const std::string& copy_data) {
    auto consumed = pipeline_.consume(copy_data);
    while (consumed == cdc::Consumed::needs_types) {
      describe();
      consumed = pipeline_.consume(copy_data);
    }
    if (consumed == cdc::Consumed::needs_catalog) describe();
    while (pipeline_.replays()) replay();
    if (pipeline_.must_spill()) pipeline_.spill();
    require(!pipeline_.must_spill());
    turn();
  }

 private:
  void describe() { pipeline_.describe(answer_to(pipeline_.question())); }
  void replay() {
    if (pipeline_.replay_waits_for_disk()) pipeline_.load_replay();
    const auto consumed = pipeline_.replay();
    if (consumed == cdc::Consumed::needs_catalog || consumed == cdc::Consumed::needs_types) {
      describe();
    }
    turn();
  }
  void turn() {
    pipeline_.collect();
    pipeline_.advance_bookmarks({}, true);
    pipeline_.collect();
    const Lsn confirmable = pipeline_.confirmable();
    require(confirmable >= confirmable_ && confirmable <= pipeline_.received());
    confirmable_ = confirmable;
  }

  CheckingEncoder encoder_;
  InstantSink sink_;
  test::MemorySpills spills_;
  cdc::Pipeline pipeline_;
  Lsn confirmable_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  protocol::ByteView rest(reinterpret_cast<const char*>(data), size);
  if (rest.empty()) return 0;
  Session session(data[0]);
  rest.remove_prefix(1);
  std::uint64_t at = 0;
  try {
    while (!rest.empty()) {
      protocol::WireReader in(rest);
      const std::size_t length = std::min<std::size_t>(in.u16(), in.remaining());
      const std::string message(in.bytes(length));
      rest = in.rest();
      const bool is_keepalive = message.starts_with(protocol::primary_keepalive_type);
      session.take(is_keepalive ? message : test::xlog_data(message, Lsn{++at}));
    }
  } catch (const protocol::ProtocolError&) {
  } catch (const cdc::StreamingGivenUp&) {
  } catch (const cdc::TooManyTables&) {
  }
  return 0;
}
