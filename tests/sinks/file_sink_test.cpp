#include "sinks/file_sink.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "sinks/file_bookmark.hpp"
#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using cdc::SinkError;
using cdc::SinkFailure;
using protocol::Lsn;
using tests::bookmark_at;
using tests::message_line;
using tests::read_all;
using tests::row_line;
using tests::SinkDriver;

class FileSinkTest : public testing::Test {
 protected:
  config::FilesSettings settings() const {
    config::FilesSettings settings;
    settings.directory = folder_.path() / "deep" / "er";
    settings.rotate_size = rotate_size_;
    settings.rotate_every = rotate_every_;
    return settings;
  }

  std::unique_ptr<FileSink> make(const std::string& name = "shop") const {
    return std::make_unique<FileSink>(settings(), name);
  }

  std::unique_ptr<FileSink> started(const cdc::Bookmark& bookmark = bookmark_at(0, 0x10)) const {
    auto sink = make();
    sink->start(sink->open().value_or(bookmark));
    return sink;
  }

  std::filesystem::path file(const std::string& name) const { return settings().directory / name; }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(settings().directory)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  tests::TemporaryFolder folder_;
  std::size_t rotate_size_ = 1 << 20;
  std::chrono::milliseconds rotate_every_{0};
};

SinkFailure failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const SinkError& error) {
    return error.failure();
  }
  ADD_FAILURE() << "nothing was thrown";
  return SinkFailure::internal;
}

TEST_F(FileSinkTest, GivesNoBookmarkBeforeTheFirstRunAndChangesNothingWhenAsked) {
  const auto sink = make();
  EXPECT_EQ(sink->peek_bookmark(), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(settings().directory));
  EXPECT_EQ(sink->open(), std::nullopt);
}

TEST_F(FileSinkTest, WritesTheFirstBookmarkBeforeAnyEvent) {
  const auto sink = started();
  EXPECT_EQ(files(), std::vector<std::string>{"shop.bookmark.json"});
  EXPECT_EQ(make()->peek_bookmark(), bookmark_at(0, 0x10));
}

TEST_F(FileSinkTest, WritesLinesInOrderIntoAFileNamedAfterTheFirstCommit) {
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x16B3800, 3, 0x16B3830);
  driver.write(message_line(0x16B3900));
  driver.commit(0x16B3900);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(driver.bookmarked, Lsn{0x16B3900});
  const auto expected = row_line(0x16B3800, 0, 0) + "\n" + row_line(0x16B3800, 1, 0) + "\n" +
                        row_line(0x16B3800, 2, 0x16B3830) + "\n" + message_line(0x16B3900) + "\n";
  EXPECT_EQ(read_all(file("shop-00000000016B3800.jsonl.open")), expected);

  sink->close();
  EXPECT_EQ(sink->totals().events, 4u);
  EXPECT_EQ(sink->totals().bytes, expected.size());
  EXPECT_EQ(sink->totals().checksum,
            crc32_z(0, reinterpret_cast<const Bytef*>(expected.data()), expected.size()));
  EXPECT_EQ(read_bookmark(FileNames(settings().directory, "shop")),
            bookmark_at(0x16B3900, 0x16B3900));
}

TEST_F(FileSinkTest, CountsThePositionInTheDataWithoutABookmarkThatSaysSo) {
  {
    auto sink = started();
    SinkDriver driver(*sink);
    driver.transaction(0x20, 1, 0x28);
    ASSERT_TRUE(driver.settle());
  }  // ends abruptly
  EXPECT_EQ(read_bookmark(FileNames(settings().directory, "shop")), bookmark_at(0, 0x10));
  EXPECT_EQ(make()->peek_bookmark(), bookmark_at(0x28, 0x28));
  EXPECT_EQ(make()->open(), bookmark_at(0x28, 0x28));
}

TEST_F(FileSinkTest, ContinuesTheOpenFileInTheNextRun) {
  {
    auto sink = started();
    SinkDriver driver(*sink);
    driver.transaction(0x20, 1, 0x28);
    ASSERT_TRUE(driver.settle());
    sink->close();
  }
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x30, 1, 0x38);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(read_all(file("shop-0000000000000020.jsonl.open")),
            row_line(0x20, 0, 0x28) + "\n" + row_line(0x30, 0, 0x38) + "\n");
}

TEST_F(FileSinkTest, EndsAFileBySizeWhereATransactionEndsOnly) {
  rotate_size_ = 1000;
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x20, 20, 0x28);  // larger than a file should be, and one transaction
  driver.transaction(0x28, 1, 0x38);
  driver.transaction(0x40, 20, 0x48);
  ASSERT_TRUE(driver.settle());
  const std::vector<std::string> expected{"shop-0000000000000020.jsonl",
                                          "shop-0000000000000028.jsonl", "shop.bookmark.json"};
  EXPECT_EQ(files(), expected);
  EXPECT_EQ(read_bookmark(FileNames(settings().directory, "shop")), bookmark_at(0x48, 0x48));
}

TEST_F(FileSinkTest, EndsAnIdleFileByItsAge) {
  rotate_every_ = std::chrono::milliseconds(50);
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x20, 1, 0x28);
  ASSERT_TRUE(driver.wait_until([&] { return files().front() == "shop-0000000000000020.jsonl"; }));
}

TEST_F(FileSinkTest, DoesNotEndAFileByItsAgeInsideATransaction) {
  rotate_every_ = std::chrono::milliseconds(20);
  auto sink = started();
  SinkDriver driver(*sink);
  driver.write(row_line(0x20, 0, 0));
  ASSERT_TRUE(driver.settle());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(files().front(), "shop-0000000000000020.jsonl.open");
  driver.write(row_line(0x20, 1, 0x28));
  driver.commit(0x28);
  ASSERT_TRUE(driver.wait_until([&] { return files().front() == "shop-0000000000000020.jsonl"; }));
  EXPECT_EQ(read_all(file("shop-0000000000000020.jsonl")),
            row_line(0x20, 0, 0) + "\n" + row_line(0x20, 1, 0x28) + "\n");
}

// A message's LSN is where the next record starts, which may be the commit record.
TEST_F(FileSinkTest, NeverGivesTwoFilesOneName) {
  rotate_size_ = 1;
  auto sink = started();
  SinkDriver driver(*sink);
  driver.write(message_line(0x20));
  driver.commit(0x20);
  driver.transaction(0x20, 1, 0x28);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(read_all(file("shop-0000000000000020.jsonl")), message_line(0x20) + "\n");
  EXPECT_EQ(read_all(file("shop-0000000000000021.jsonl")), row_line(0x20, 0, 0x28) + "\n");
}

TEST_F(FileSinkTest, WritesTheBookmarkFileForPositionsNoLineCarries) {
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x20, 1, 0x28);
  ASSERT_TRUE(driver.settle());
  sink->advance({Lsn{0x28}, Lsn{0x28}});
  ASSERT_TRUE(driver.wait_until([&] { return driver.bookmarked == Lsn{0x28}; }));
  EXPECT_EQ(read_bookmark(FileNames(settings().directory, "shop")), bookmark_at(0, 0x10));

  sink->advance({Lsn{0x28}, Lsn{0x90}});
  ASSERT_TRUE(driver.wait_until([&] { return driver.bookmarked == Lsn{0x90}; }));
  EXPECT_EQ(read_bookmark(FileNames(settings().directory, "shop")), bookmark_at(0x28, 0x90));
}

TEST_F(FileSinkTest, TakesTransactionsWithoutEventsForNothing) {
  auto sink = started();
  SinkDriver driver(*sink);
  driver.commit(0x28);
  driver.transaction(0x30, 1, 0x38);
  driver.commit(0x48);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(driver.bookmarked, Lsn{0x38});
}

TEST_F(FileSinkTest, FreesTheBytesOfATransactionBeforeItEnds) {
  auto sink = started();
  SinkDriver driver(*sink);
  for (unsigned seq = 0; seq < 5000; ++seq) driver.write(row_line(0x20, seq, 0));
  EXPECT_TRUE(driver.settle());
  EXPECT_EQ(driver.bookmarked, Lsn{0x10});  // where it started
}

TEST_F(FileSinkTest, CutsATransactionThatNeverEndedWhenItCloses) {
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x20, 1, 0x28);
  driver.write(row_line(0x30, 0, 0));
  ASSERT_TRUE(driver.settle());
  sink->close();
  EXPECT_EQ(read_all(file("shop-0000000000000020.jsonl.open")), row_line(0x20, 0, 0x28) + "\n");
  EXPECT_EQ(make()->open(), bookmark_at(0x28, 0x28));
}

TEST_F(FileSinkTest, LeavesNoFileOfATransactionThatNeverEnded) {
  auto sink = started();
  SinkDriver driver(*sink);
  driver.write(row_line(0x30, 0, 0));
  ASSERT_TRUE(driver.settle());
  sink->close();
  EXPECT_EQ(files(), std::vector<std::string>{"shop.bookmark.json"});
}

TEST_F(FileSinkTest, TwoPipelinesShareAFolder) {
  auto first = make("shop");
  auto second = make("shop-2");
  first->open();
  second->open();
  first->start(bookmark_at(0, 0x10));
  second->start(bookmark_at(0, 0x10));
  EXPECT_NE(first->lock_path(), second->lock_path());
  SinkDriver one(*first);
  SinkDriver two(*second);
  one.transaction(0x20, 1, 0x28);
  two.transaction(0x30, 1, 0x38);
  ASSERT_TRUE(one.settle());
  ASSERT_TRUE(two.settle());
  first->close();
  second->close();
  EXPECT_EQ(make("shop")->open(), bookmark_at(0x28, 0x28));
  EXPECT_EQ(make("shop-2")->open(), bookmark_at(0x38, 0x38));
}

// --accept-identity, --accept-gap: what the old stream left in the open file no longer counts.
TEST_F(FileSinkTest, StartsANewFileWhenItIsStartedElsewhere) {
  {
    auto sink = started();
    SinkDriver driver(*sink);
    driver.transaction(0x2000, 1, 0x2008);
    ASSERT_TRUE(driver.settle());
    sink->close();
  }
  auto other = bookmark_at(0x100, 0x100);
  other.identity.system_identifier = "7000000000000000002";
  auto sink = make();
  ASSERT_EQ(sink->open(), bookmark_at(0x2008, 0x2008));
  sink->start(other);
  EXPECT_EQ(make()->peek_bookmark(), other);
  EXPECT_EQ(files().front(), "shop-0000000000002000.jsonl");
  SinkDriver driver(*sink);
  driver.transaction(0x200, 1, 0x208);
  ASSERT_TRUE(driver.settle());
  sink->close();
  EXPECT_EQ(make()->open()->position, bookmark_at(0x208, 0x208).position);
}

TEST_F(FileSinkTest, NamesThePathAndTheRemedyWhenTheFolderIsAFile) {
  tests::write_all(folder_.path() / "deep", "in the way");
  try {
    make()->open();
    FAIL();
  } catch (const SinkError& error) {
    EXPECT_EQ(error.failure(), SinkFailure::not_permitted);
    EXPECT_NE(std::string(error.what()).find(folder_.path() / "deep"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("remove it"), std::string::npos);
  }
}

TEST_F(FileSinkTest, RefusesDataWithoutABookmarkAndATornBookmark) {
  started()->close();
  tests::write_all(file("shop.bookmark.json"), R"({"system_identifier":"7)");
  EXPECT_EQ(failure_of([&] { make()->open(); }), SinkFailure::bookmark);
  EXPECT_EQ(failure_of([&] { make()->peek_bookmark(); }), SinkFailure::bookmark);
  std::filesystem::remove(file("shop.bookmark.json"));
  EXPECT_EQ(make()->open(), std::nullopt);
  tests::write_all(file("shop-0000000000000020.jsonl"), row_line(0x20, 0, 0x28) + "\n");
  EXPECT_EQ(failure_of([&] { make()->open(); }), SinkFailure::bookmark);
  EXPECT_EQ(failure_of([&] { make()->peek_bookmark(); }), SinkFailure::bookmark);
}

TEST_F(FileSinkTest, TakesLinesByTheHundredThousand) {
  auto sink = started();
  SinkDriver driver(*sink);
  const auto line = row_line(0x20, 0, 0x28);
  const auto begin = std::chrono::steady_clock::now();
  constexpr unsigned lines = 200'000;
  for (unsigned i = 0; i < lines; ++i) {
    driver.write(line);
    driver.commit(0x28);
    if (i % 1000 == 0) driver.collect();
  }
  ASSERT_TRUE(driver.settle());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  RecordProperty("lines_per_second", static_cast<int>(lines / took.count()));
  EXPECT_LT(took.count(), 20.0);  // sanitizers and a busy machine included
}

}  // namespace
}  // namespace pgcourier::sinks
