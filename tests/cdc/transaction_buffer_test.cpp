#include "cdc/transaction_buffer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "protocol/protocol_error.hpp"
#include "tests/cdc/memory_spills.hpp"

namespace pgcourier::cdc {
namespace {

using protocol::Lsn;
using test::MemorySpills;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> read_all(StreamedTransaction transaction) {
  std::vector<std::string> payloads;
  StreamedMessage message;
  for (;;) {
    while (transaction.at_spilled_extent()) transaction.load_extent();
    if (!transaction.next(message)) return payloads;
    payloads.emplace_back(message.payload);
  }
}

struct Buffer {
  MemorySpills spills;
  TransactionBuffer buffer{1 << 20, spills};

  void piece(std::uint32_t xid, bool first,
             const std::vector<std::pair<std::uint32_t, std::string>>& messages) {
    buffer.start_piece(xid, first);
    for (const auto& [by, payload] : messages) buffer.add(by, Lsn{1}, payload);
    buffer.stop_piece();
  }
  std::vector<std::string> taken(std::uint32_t xid) { return read_all(buffer.take(xid)); }
};

TEST(TransactionBuffer, GivesBackWhatCameInOrder) {
  Buffer b;
  b.piece(10, true, {{10, "a"}, {11, "b"}});
  b.piece(20, true, {{20, "x"}});
  b.piece(10, false, {{10, "c"}});
  EXPECT_EQ(b.buffer.transactions(), 2U);
  EXPECT_THAT(b.taken(10), ElementsAre("a", "b", "c"));
  EXPECT_THAT(b.taken(20), ElementsAre("x"));
  EXPECT_EQ(b.buffer.memory_bytes(), 0U);
}

TEST(TransactionBuffer, KeepsWhereEachCameFrom) {
  Buffer b;
  b.piece(20, true, {{20, "x"}});
  b.buffer.start_piece(10, true);
  b.buffer.add(10, Lsn{0x1234}, "a");
  b.buffer.stop_piece();
  auto transaction = b.buffer.take(10);
  StreamedMessage message;
  ASSERT_TRUE(transaction.next(message));
  EXPECT_EQ(message.piece, 2U);
  EXPECT_EQ(message.lsn, Lsn{0x1234});
}

TEST(TransactionBuffer, DropsAnAbortedSubtransaction) {
  Buffer b;
  b.piece(10, true, {{10, "a"}, {11, "b"}, {12, "c"}});
  b.buffer.abort(10, 12);
  b.buffer.abort(10, 11);
  b.piece(10, false, {{10, "d"}, {13, "e"}});
  EXPECT_THAT(b.taken(10), ElementsAre("a", "d", "e"));
}

TEST(TransactionBuffer, KnowsOfMessagesInWhatIsSpilled) {
  for (const std::string first : {"Mxxxx", "Ixxxx"}) {
    Buffer b;
    b.piece(10, true, {{10, first}, {10, std::string(900'000, 'I')}, {11, "Ixxxx"}});
    b.piece(20, true, {{20, std::string(300'000, 'I')}});
    b.buffer.spill();
    EXPECT_TRUE(b.buffer.abort(10, 11));
    b.piece(10, false, {{10, first}, {12, std::string(900'000, 'I')}});
    b.buffer.spill();
    EXPECT_EQ(b.buffer.abort(10, 12), first.front() == 'I');
  }
}

TEST(TransactionBuffer, DropsAnAbortedTransaction) {
  Buffer b;
  b.piece(10, true, {{10, "a"}});
  b.buffer.spill();
  b.buffer.abort(10, 10);
  EXPECT_EQ(b.buffer.transactions(), 0U);
  EXPECT_EQ(b.spills.files, 0U);
  EXPECT_THROW(b.buffer.take(10), protocol::ProtocolError);
  b.buffer.abort(10, 10);
}

TEST(TransactionBuffer, KnowsIdsThatHaveWrapped) {
  Buffer b;
  b.piece(0xfffffff0, true, {{0xfffffff0, "a"}, {0xffffffff, "b"}, {4, "c"}, {5, "d"}});
  b.buffer.abort(0xfffffff0, 4);
  EXPECT_THAT(b.taken(0xfffffff0), ElementsAre("a", "b"));
}

TEST(TransactionBuffer, RefusesPiecesThatCantBe) {
  Buffer b;
  EXPECT_THROW(b.buffer.start_piece(10, false), protocol::ProtocolError);
  b.piece(11, true, {});
  EXPECT_THROW(b.buffer.start_piece(11, true), protocol::ProtocolError);
}

TEST(TransactionBuffer, SpillsTheLargestFirst) {
  Buffer b;
  b.piece(10, true, {{10, std::string(900'000, 'a')}});
  b.piece(20, true, {{20, std::string(300'000, 'b')}});
  EXPECT_TRUE(b.buffer.over_limit());
  b.buffer.spill();
  EXPECT_FALSE(b.buffer.over_limit());
  EXPECT_EQ(b.spills.files, 1U);
  EXPECT_GE(b.buffer.spilled_bytes(), 900'000U);
  EXPECT_LT(b.buffer.memory_bytes(), 400'000U);
  EXPECT_THAT(b.taken(10), ElementsAre(std::string(900'000, 'a')));
  EXPECT_EQ(b.spills.files, 0U);
}

TEST(TransactionBuffer, KeepsWhatAFullDiskDidNotTake) {
  Buffer b;
  b.piece(10, true, {{10, std::string(900'000, 'a')}, {10, std::string(900'000, 'b')}});
  b.spills.full = true;
  EXPECT_THROW(b.buffer.spill(), SpillError);
  EXPECT_TRUE(b.buffer.over_limit());
  b.spills.full = false;
  b.buffer.spill();
  EXPECT_THAT(b.taken(10), ElementsAre(std::string(900'000, 'a'), std::string(900'000, 'b')));
}

TEST(TransactionBuffer, TellsOfAFileThatIsNotWhatItWas) {
  Buffer b;
  b.piece(10, true, {{10, std::string(900'000, 'a')}});
  b.piece(20, true, {{20, std::string(900'000, 'a')}});
  b.buffer.spill();
  b.spills.corrupt = true;
  EXPECT_THROW(b.taken(10), SpillError);
}

// Transactions as a server has them: subtransactions inside each other, some released, some rolled
// back with all that was inside; ids are given when something is first written.
class Model {
 public:
  Model(TransactionBuffer& buffer, std::mt19937& random) : buffer_(buffer), random_(random) {}

  struct Row {
    std::uint32_t xid;
    std::string payload;
  };
  struct Level {
    std::uint32_t xid = 0;                // none yet
    std::vector<std::uint32_t> released;  // ids of what was inside
    std::size_t rows_before = 0;
  };
  struct Transaction {
    std::vector<Level> levels = {Level{}};
    std::vector<Row> rows;  // live ones, sent or not
    std::size_t sent = 0;   // of them
    bool streamed = false;
  };

  std::uint32_t id_of(Transaction& t, std::size_t level) {
    if (level > 0) id_of(t, level - 1);
    if (t.levels[level].xid == 0) t.levels[level].xid = next_xid_++;
    return t.levels[level].xid;
  }
  void write(Transaction& t, const std::string& payload) {
    t.rows.push_back({id_of(t, t.levels.size() - 1), payload});
  }
  void savepoint(Transaction& t) { t.levels.push_back({0, {}, t.rows.size()}); }
  void release(Transaction& t) {
    Level inner = t.levels.back();
    t.levels.pop_back();
    auto& outer = t.levels.back().released;
    if (inner.xid == 0) return;
    outer.insert(outer.end(), inner.released.begin(), inner.released.end());
    outer.push_back(inner.xid);
  }
  void roll_back(Transaction& t) {
    const Level inner = t.levels.back();
    t.levels.pop_back();
    const bool some_sent = t.sent > inner.rows_before;
    t.rows.resize(inner.rows_before);
    t.sent = std::min(t.sent, t.rows.size());
    if (inner.xid == 0 || !t.streamed || !some_sent) return;
    const auto top = id_of(t, 0);
    for (const auto xid : inner.released) buffer_.abort(top, xid);
    buffer_.abort(top, inner.xid);
  }
  void send(Transaction& t) {
    if (t.sent == t.rows.size()) return;
    buffer_.start_piece(id_of(t, 0), !t.streamed);
    t.streamed = true;
    for (; t.sent < t.rows.size(); ++t.sent) {
      buffer_.add(t.rows[t.sent].xid, Lsn{t.sent}, t.rows[t.sent].payload);
    }
    buffer_.stop_piece();
  }
  // Ends it; what must have been kept.
  std::vector<std::string> commit(Transaction& t) {
    write(t, "last");
    send(t);
    std::vector<std::string> payloads;
    for (const auto& row : t.rows) payloads.push_back(row.payload);
    return payloads;
  }

  std::size_t pick(std::size_t below) { return random_() % below; }

 private:
  TransactionBuffer& buffer_;
  std::mt19937& random_;
  std::uint32_t next_xid_ = 0xffffff00;  // wraps soon
};

void run_history(unsigned seed) {
  std::mt19937 random(seed);
  MemorySpills spills;
  TransactionBuffer buffer(64 * 1024, spills);
  Model model(buffer, random);
  std::vector<Model::Transaction> open(3);
  for (int step = 0; step < 600; ++step) {
    auto& t = open[model.pick(open.size())];
    switch (model.pick(10)) {
      case 0:
        if (t.levels.size() < 6) model.savepoint(t);
        break;
      case 1:
        if (t.levels.size() > 1) model.release(t);
        break;
      case 2:
        if (t.levels.size() > 1) model.roll_back(t);
        break;
      case 3:
        model.send(t);
        break;
      case 4:
        if (buffer.over_limit()) buffer.spill();
        break;
      case 5:
        if (model.pick(20) == 0) {
          const auto expected = model.commit(t);
          EXPECT_EQ(read_all(buffer.take(model.id_of(t, 0))), expected) << "seed " << seed;
          t = {};
        }
        break;
      default: {
        const std::size_t size = model.pick(50) == 0 ? 300'000 : model.pick(3'000);
        model.write(t, std::string(size, static_cast<char>('a' + model.pick(26))));
      }
    }
  }
  for (auto& t : open) {
    const auto expected = model.commit(t);
    EXPECT_EQ(read_all(buffer.take(model.id_of(t, 0))), expected) << "seed " << seed;
  }
  EXPECT_EQ(buffer.memory_bytes(), 0U) << "seed " << seed;
  EXPECT_EQ(buffer.bookkeeping_bytes(), 0U) << "seed " << seed;
  EXPECT_EQ(spills.files, 0U) << "seed " << seed;
}

TEST(TransactionBuffer, KeepsWhatCommitsOfAnyHistory) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    run_history(seed);
    if (HasFailure()) return;
  }
}

// A subtransaction for each row, as an exception block in a loop makes them, costs no more memory.
TEST(TransactionBuffer, TakesNoMemoryForSubtransactions) {
  MemorySpills spills;
  TransactionBuffer buffer(1 << 20, spills);
  buffer.start_piece(10, true);
  for (std::uint32_t xid = 11; xid < 200'011; ++xid) {
    buffer.add(xid, Lsn{1}, "Ixxxxrow");
    if (xid % 5 == 0) buffer.abort(10, xid);
    if (buffer.over_limit()) buffer.spill();
    EXPECT_LT(buffer.memory_bytes(), 2U << 20);
  }
  buffer.stop_piece();
  EXPECT_THAT(read_all(buffer.take(10)), testing::SizeIs(160'000));
}

TEST(TransactionBuffer, CountsWhatCannotBeSpilled) {
  Buffer b;
  constexpr std::size_t opened = 1000;
  for (std::uint32_t xid = 1; xid <= opened; ++xid) b.piece(xid, true, {});
  EXPECT_EQ(b.buffer.memory_bytes(), 0U);
  const auto empty = b.buffer.bookkeeping_bytes();
  EXPECT_GE(empty, opened * sizeof(StreamedTransaction));

  const std::string large(100'000, 'x');
  for (std::uint32_t piece = 0; piece < opened; ++piece) {
    b.piece(1, false, {{1, large}});
    if (b.buffer.over_limit()) b.buffer.spill();
  }
  EXPECT_GT(b.buffer.spilled_bytes(), 90U << 20);
  EXPECT_GT(b.buffer.bookkeeping_bytes(), empty + 300 * sizeof(void*));
  EXPECT_LT(b.buffer.bookkeeping_bytes(), empty + (1 << 17));

  b.buffer.take(1);
  for (std::uint32_t xid = 2; xid <= opened; ++xid) b.buffer.abort(xid, xid);
  EXPECT_EQ(b.buffer.bookkeeping_bytes(), 0U);
}

}  // namespace
}  // namespace pgcourier::cdc
