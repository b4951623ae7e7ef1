#include "sinks/file_recovery.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sinks/file_bookmark.hpp"
#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using config::Compression;
using protocol::Lsn;
using tests::bookmark_at;
using tests::message_line;
using tests::read_all;
using tests::row_line;
using tests::write_all;

// Units as they stand in a file, and where each ends.
struct Content {
  std::string bytes;
  std::vector<std::pair<std::size_t, std::uint64_t>> ends;  // bytes, end LSN

  void transaction(std::uint64_t commit, unsigned rows, std::uint64_t end) {
    for (unsigned seq = 0; seq < rows; ++seq) {
      bytes += row_line(commit, seq, seq + 1 == rows ? end : 0) + "\n";
    }
    ends.emplace_back(bytes.size(), end);
  }
  void message(std::uint64_t lsn) {
    bytes += message_line(lsn) + "\n";
    ends.emplace_back(bytes.size(), lsn);
  }

  // The last unit that is whole within the first `size` bytes.
  std::pair<std::size_t, std::uint64_t> whole_within(std::size_t size) const {
    std::pair<std::size_t, std::uint64_t> last{0, 0};
    for (const auto& end : ends) {
      if (end.first <= size) last = end;
    }
    return last;
  }
};

Content sample() {
  Content content;
  content.transaction(0x20, 3, 0x28);
  content.message(0x30);
  content.transaction(0x38, 1, 0x48);
  content.transaction(0x48, 2, 0x58);
  return content;
}

class FileRecoveryTest : public testing::Test {
 protected:
  FileRecoveryTest() { write_bookmark(names_, bookmark_at(0, 0x10), {}); }

  void expect_recovered(const Content& content, std::size_t whole_bytes, const std::string& why) {
    const auto [size, end] = content.whole_within(whole_bytes);
    auto expected = bookmark_at(0, 0x10);
    if (end != 0) expected = bookmark_at(end, end);
    ASSERT_EQ(peek(names_), expected) << why;
    ASSERT_EQ(recover(names_).bookmark, expected) << why;
    ASSERT_EQ(std::filesystem::exists(open_), size > 0) << why;
    const auto expected_bytes = content.bytes.substr(0, size);
    ASSERT_EQ(read_all(open_), expected_bytes) << why;
    ASSERT_EQ(recover(names_).bookmark, expected) << "again, " << why;
  }

  tests::TemporaryFolder folder_;
  FileNames names_{folder_.path(), "shop"};
  std::filesystem::path open_ = names_.open(Lsn{0x20}, Compression::none);
};

TEST_F(FileRecoveryTest, KeepsTheWholeUnitsOfEveryTruncation) {
  const auto content = sample();
  for (std::size_t size = 0; size <= content.bytes.size(); ++size) {
    write_all(open_, content.bytes.substr(0, size));
    expect_recovered(content, size, "cut at byte " + std::to_string(size));
  }
}

TEST_F(FileRecoveryTest, CutsAtTheFirstMissingPageWhateverComesBehindIt) {
  const auto content = sample();
  constexpr std::size_t page = 64;  // any alignment is as good
  for (std::size_t at = 0; at < content.bytes.size(); at += page) {
    auto torn = content.bytes;
    std::fill_n(torn.begin() + static_cast<std::ptrdiff_t>(at), std::min(page, torn.size() - at),
                '\0');
    write_all(open_, torn);
    expect_recovered(content, at, "no page at byte " + std::to_string(at));
  }
}

TEST_F(FileRecoveryTest, CutsAFileThatOnlyGrew) {
  const auto content = sample();
  write_all(open_, content.bytes + std::string(100'000, '\0'));
  expect_recovered(content, content.bytes.size(), "zeros at the end");
}

TEST_F(FileRecoveryTest, ReadsLinesLongerThanItsBuffer) {
  Content content;
  content.bytes = row_line(0x20, 0, 0x28, std::string(1'000'000, 'x')) + "\n";
  content.ends.emplace_back(content.bytes.size(), 0x28);
  content.transaction(0x30, 1, 0x38);
  write_all(open_, content.bytes);
  expect_recovered(content, content.bytes.size(), "long lines");
}

TEST_F(FileRecoveryTest, TakesATransactionWhoseEndIsMissingForTheEndOfWhatIsValid) {
  write_all(open_, row_line(0x20, 0, 0) + "\n" + row_line(0x30, 0, 0x38) + "\n");
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0, 0x10));
}

TEST_F(FileRecoveryTest, RemovesAnOpenFileWithoutAWholeUnit) {
  write_all(open_, "");
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0, 0x10));
  EXPECT_FALSE(std::filesystem::exists(open_));
}

TEST_F(FileRecoveryTest, PrefersTheBookmarkWhereItIsAhead) {
  write_all(open_, sample().bytes);
  write_bookmark(names_, bookmark_at(0x48, 0x100), {});
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0x58, 0x100));
}

TEST_F(FileRecoveryTest, MissesTheOpenFileThatTheBookmarkNames) {
  write_all(open_, sample().bytes);
  write_bookmark(names_, bookmark_at(0x48, 0x48), open_.filename());
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0x58, 0x58));
  std::filesystem::remove(open_);
  EXPECT_THROW(peek(names_), cdc::SinkError);
  EXPECT_THROW(recover(names_), cdc::SinkError);
}

TEST_F(FileRecoveryTest, RemovesADraftOfABookmark) {
  write_all(names_.bookmark_draft(), "{\"torn");
  EXPECT_EQ(peek(names_), bookmark_at(0, 0x10));
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0, 0x10));
  EXPECT_FALSE(std::filesystem::exists(names_.bookmark_draft()));
}

// The crash points of an ending file: the bookmark covers its end, and it may have its name or not.
TEST_F(FileRecoveryTest, GivesTheSamePositionBeforeAndAfterTheFinalName) {
  write_all(open_, sample().bytes);
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0x58, 0x58));  // nothing but the data says so
  write_bookmark(names_, bookmark_at(0x58, 0x58), {});
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0x58, 0x58));
  std::filesystem::rename(open_, names_.finished(Lsn{0x20}, Compression::none));
  const auto recovered = recover(names_);
  EXPECT_EQ(recovered.bookmark, bookmark_at(0x58, 0x58));
  EXPECT_FALSE(recovered.file);
}

TEST_F(FileRecoveryTest, FinishesTheOlderOfTwoOpenFiles) {
  const auto content = sample();
  write_all(open_, content.bytes);
  write_all(names_.open(Lsn{0x60}, Compression::none), row_line(0x60, 0, 0x68) + "\n");
  EXPECT_EQ(peek(names_), bookmark_at(0x68, 0x68));
  const auto recovered = recover(names_);
  EXPECT_EQ(recovered.bookmark, bookmark_at(0x68, 0x68));
  EXPECT_EQ(read_bookmark(names_), bookmark_at(0x58, 0x58));
  EXPECT_EQ(read_all(names_.finished(Lsn{0x20}, Compression::none)), content.bytes);
  EXPECT_EQ(recovered.file->file.path, names_.open(Lsn{0x60}, Compression::none));
}

TEST_F(FileRecoveryTest, RefusesAHoleBetweenTwoOpenFiles) {
  const auto content = sample();
  write_all(open_, content.bytes.substr(0, content.bytes.size() - 5));
  write_all(names_.open(Lsn{0x60}, Compression::none), row_line(0x60, 0, 0x68) + "\n");
  EXPECT_THROW(recover(names_), SinkError);
}

TEST_F(FileRecoveryTest, RefusesDataThatWasDurableAndIsGone) {
  const auto content = sample();
  write_all(open_, content.bytes.substr(0, content.bytes.size() - 5));
  write_bookmark(names_, bookmark_at(0x58, 0x58), {});
  EXPECT_THROW(peek(names_), SinkError);
  EXPECT_THROW(recover(names_), SinkError);
  EXPECT_EQ(read_all(open_).size(), content.bytes.size() - 5);
}

TEST_F(FileRecoveryTest, LeavesFilesOfOtherNamesAlone) {
  for (const std::string name :
       {"shop-2-0000000000000020.jsonl.open", "shop-0000000000000020.jsonl.bz2.open",
        "shop-0000000000000020.gz", "shop-000000000000002g.jsonl", "other.txt",
        "shop-0000000000000020.jsonl.open.bak"}) {
    write_all(folder_.path() / name, "not ours");
    EXPECT_EQ(names_.parse(name), std::nullopt) << name;
  }
  EXPECT_EQ(recover(names_).bookmark, bookmark_at(0, 0x10));
}

RC_GTEST_FIXTURE_PROP(FileRecoveryTest, NeverTakesATornUnitForWhole, ()) {
  Content content;
  std::uint64_t lsn = 0x20;
  const auto units = *rc::gen::inRange(1, 12);
  for (int i = 0; i < units; ++i) {
    if (*rc::gen::inRange(0, 4) == 0) {
      content.message(lsn);
    } else {
      content.transaction(lsn, *rc::gen::inRange(1u, 5u), lsn + 8);
    }
    lsn += 0x10;
  }
  auto torn = content.bytes.substr(0, *rc::gen::inRange<std::size_t>(0, content.bytes.size() + 1));
  auto whole = torn.size();
  for (std::size_t page = 0; page * 512 < torn.size(); ++page) {
    if (*rc::gen::inRange(0, 4) != 0) continue;
    const auto begin = page * 512;
    std::fill_n(torn.begin() + static_cast<std::ptrdiff_t>(begin),
                std::min<std::size_t>(512, torn.size() - begin), '\0');
    whole = std::min(whole, begin);
  }
  write_all(open_, torn);
  const auto [size, end] = content.whole_within(whole);
  RC_ASSERT(recover(names_).bookmark->position.delivered == Lsn{end});
  RC_ASSERT(std::filesystem::exists(open_) == (size > 0));
  RC_ASSERT(read_all(open_) == content.bytes.substr(0, size));
}

}  // namespace
}  // namespace pgcourier::sinks
