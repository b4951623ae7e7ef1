#include <gtest/gtest.h>

#include "sinks/file_bookmark.hpp"
#include "sinks/file_sink.hpp"
#include "tests/sinks/file_compression_support.hpp"
#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using config::Compression;
using protocol::Lsn;
using tests::bookmark_at;
using tests::message_line;
using tests::read_all;
using tests::row_line;
using tests::SinkDriver;

class FileSinkCompressionTest : public testing::TestWithParam<Compression> {
 protected:
  std::unique_ptr<FileSink> make(Compression compression) const {
    config::FilesSettings settings;
    settings.directory = folder_.path();
    settings.rotate_size = rotate_size_;
    settings.rotate_every = std::chrono::milliseconds(0);
    settings.compression = compression;
    return std::make_unique<FileSink>(settings, "shop");
  }

  std::unique_ptr<FileSink> started(Compression compression = GetParam()) const {
    auto sink = make(compression);
    sink->start(sink->open().value_or(bookmark_at(0, 0x10)));
    return sink;
  }

  std::vector<std::string> data_files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename();
      if (name.find(".jsonl") != std::string::npos) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string lines(const std::string& name) const {
    const auto has = [&](const char* ending) { return name.find(ending) != std::string::npos; };
    const auto bytes = read_all(folder_.path() / name);
    return tests::lines_of(bytes, has(".gz")    ? Compression::gzip
                                  : has(".zst") ? Compression::zstd
                                                : Compression::none);
  }

  std::string name_of(const std::string& lsn, Compression compression = GetParam()) const {
    return "shop-00000000000000" + lsn + ".jsonl" +
           (compression == Compression::gzip ? ".gz" : ".zst");
  }

  tests::TemporaryFolder folder_;
  std::size_t rotate_size_ = 1 << 20;
};

INSTANTIATE_TEST_SUITE_P(Each, FileSinkCompressionTest,
                         testing::Values(Compression::gzip, Compression::zstd),
                         [](const auto& kind) { return tests::compression_name(kind.param); });

TEST_P(FileSinkCompressionTest, WritesWhatOthersReadAndCountsTheLines) {
  std::string expected;
  {
    auto sink = started();
    SinkDriver driver(*sink);
    driver.transaction(0x20, 2, 0x28);
    ASSERT_TRUE(driver.settle());
    driver.write(message_line(0x30));
    driver.commit(0x30);
    ASSERT_TRUE(driver.settle());
    EXPECT_EQ(driver.bookmarked, Lsn{0x30});
    expected =
        row_line(0x20, 0, 0) + "\n" + row_line(0x20, 1, 0x28) + "\n" + message_line(0x30) + "\n";
    EXPECT_EQ(data_files(), std::vector{name_of("20") + ".open"});
    EXPECT_EQ(lines(data_files().front()), expected);
    sink->close();
    EXPECT_EQ(sink->totals().bytes, expected.size());
    EXPECT_EQ(sink->totals().checksum,
              crc32_z(0, reinterpret_cast<const Bytef*>(expected.data()), expected.size()));
  }
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x40, 1, 0x48);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(data_files(), std::vector{name_of("20") + ".open"});
  EXPECT_EQ(lines(data_files().front()), expected + row_line(0x40, 0, 0x48) + "\n");
}

// Its bytes are freed, and synced now and then, before it ends; small ones stand around it.
TEST_P(FileSinkCompressionTest, CutsATransactionThatNeverEndedBehindTheLastWholeOne) {
  for (const bool closed : {true, false}) {
    auto sink = started();
    SinkDriver driver(*sink);
    const std::uint64_t commit = closed ? 0x20 : 0x60;
    driver.transaction(commit, 3, commit + 8);
    driver.transaction(commit + 0x10, 1, commit + 0x18);
    for (unsigned seq = 0; seq < 5000; ++seq) {
      driver.write(row_line(commit + 0x20, seq, 0, std::string(seq % 300, 'n')));
      if (seq % 1000 == 0) {
        ASSERT_TRUE(driver.settle());
      }
    }
    ASSERT_TRUE(driver.settle());
    EXPECT_EQ(driver.bookmarked, Lsn{commit + 0x18});
    if (closed) sink->close();
    sink.reset();
    const auto end = bookmark_at(commit + 0x18, commit + 0x18);
    EXPECT_EQ(make(GetParam())->peek_bookmark(), end);
    EXPECT_EQ(make(GetParam())->open(), end);
    const auto content = lines(data_files().front());
    const auto last = row_line(commit + 0x10, 0, commit + 0x18) + "\n";
    EXPECT_TRUE(content.ends_with(last));
  }
  EXPECT_EQ(data_files().size(), 1u);
}

// A row larger than a member can be, then its transaction's end.
TEST_P(FileSinkCompressionTest, DividesALargeRow) {
  const auto large = row_line(0x20, 0, 0, std::string(3'000'000, 'r'));
  auto sink = started();
  SinkDriver driver(*sink);
  driver.write(large);
  ASSERT_TRUE(driver.settle());
  driver.write(row_line(0x20, 1, 0x28));
  driver.commit(0x28);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(lines(data_files().front()), large + "\n" + row_line(0x20, 1, 0x28) + "\n");
  EXPECT_EQ(make(GetParam())->peek_bookmark(), bookmark_at(0x28, 0x28));
}

TEST_P(FileSinkCompressionTest, EndsAFileByItsCompressedSize) {
  rotate_size_ = 2000;
  auto sink = started();
  SinkDriver driver(*sink);
  std::string expected;
  for (std::uint64_t commit = 0x1000; commit < 0x1000 + 40 * 0x10; commit += 0x10) {
    driver.transaction(commit, 1, commit + 8, std::string(2000, 'n'));
    expected += row_line(commit, 0, commit + 8, std::string(2000, 'n')) + "\n";
    ASSERT_TRUE(driver.settle());
  }
  const auto names = data_files();
  ASSERT_GT(names.size(), 2u);
  ASSERT_LT(names.size(), 20u);
  std::string content;
  for (const auto& name : names) {
    content += lines(name);
    const auto size = std::filesystem::file_size(folder_.path() / name);
    EXPECT_LT(size, 2500u) << name;
    EXPECT_TRUE(size >= 2000 || name.ends_with(".open")) << name;
  }
  EXPECT_EQ(content, expected);
}

// The file of the other kind is given its name, and the next one begins where it ends.
TEST_P(FileSinkCompressionTest, FinishesTheFileOfAnotherCompression) {
  const auto other = GetParam() == Compression::gzip ? Compression::zstd : Compression::gzip;
  const std::vector<Compression> runs{Compression::none, GetParam(), other, Compression::none};
  std::uint64_t lsn = 0x20;
  std::string expected;
  for (const auto compression : runs) {
    const bool closed = lsn != 0x30;  // one run ends abruptly, in the middle of a transaction
    auto sink = started(compression);
    SinkDriver driver(*sink);
    driver.transaction(lsn, 1, lsn + 8);
    ASSERT_TRUE(driver.settle());
    expected += row_line(lsn, 0, lsn + 8) + "\n";
    if (!closed) {
      driver.write(row_line(lsn + 8, 0, 0));
      ASSERT_TRUE(driver.settle());
    } else {
      sink->close();
    }
    lsn += 0x10;
  }
  const std::vector<std::string> names{"shop-0000000000000020.jsonl", name_of("30"),
                                       name_of("40", other), "shop-0000000000000050.jsonl.open"};
  EXPECT_EQ(data_files(), names);
  std::string content;
  for (const auto& name : names) content += lines(name);
  EXPECT_EQ(content, expected);
  EXPECT_EQ(make(other)->peek_bookmark(), bookmark_at(0x58, 0x58));
}

// A message and the transaction behind it may have one LSN.
TEST_P(FileSinkCompressionTest, NeverGivesTwoKindsOfFilesOneNumber) {
  rotate_size_ = 1;
  {
    auto sink = started(Compression::none);
    SinkDriver driver(*sink);
    driver.write(message_line(0x20));
    driver.commit(0x20);
    ASSERT_TRUE(driver.settle());
  }
  auto sink = started();
  SinkDriver driver(*sink);
  driver.transaction(0x20, 1, 0x28);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(data_files(), (std::vector<std::string>{"shop-0000000000000020.jsonl", name_of("21")}));
}

TEST_P(FileSinkCompressionTest, RefusesDataThatWasDurableAndIsDamaged) {
  {
    auto sink = started();
    SinkDriver driver(*sink);
    driver.transaction(0x20, 1, 0x28);
    ASSERT_TRUE(driver.settle());
    sink->close();
  }
  const auto path = folder_.path() / data_files().front();
  auto bytes = read_all(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  tests::write_all(path, bytes);
  EXPECT_THROW(make(GetParam())->peek_bookmark(), cdc::SinkError);
  EXPECT_THROW(make(GetParam())->open(), cdc::SinkError);
  EXPECT_EQ(read_all(path), bytes);
}

}  // namespace
}  // namespace pgcourier::sinks
