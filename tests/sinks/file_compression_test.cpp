#include "sinks/file_compression.hpp"

#include <gtest/gtest.h>

#include <random>

#include "sinks/file_bookmark.hpp"
#include "sinks/file_recovery.hpp"
#include "tests/sinks/file_compression_support.hpp"
#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using config::Compression;
using protocol::Lsn;
using tests::bookmark_at;
using tests::lines_of;
using tests::message_line;
using tests::read_all;
using tests::row_line;
using tests::write_all;

class FileCompressionTest : public testing::TestWithParam<Compression> {
 protected:
  FileCompressionTest() { write_bookmark(names_, bookmark_at(0, 0x10), {}); }

  std::string member(const std::string& content) {
    return std::string(compressor_->compress(content));
  }

  void expect_recovered(const std::string& bytes, std::size_t size, std::uint64_t end,
                        const std::string& why) {
    write_all(open_, bytes);
    const auto expected = end == 0 ? bookmark_at(0, 0x10) : bookmark_at(end, end);
    ASSERT_EQ(peek(names_), expected) << why;
    ASSERT_EQ(read_all(open_), bytes) << why;
    ASSERT_EQ(recover(names_).bookmark, expected) << why;
    ASSERT_EQ(std::filesystem::exists(open_), size > 0) << why;
    ASSERT_EQ(read_all(open_), bytes.substr(0, size)) << why;
  }

  tests::TemporaryFolder folder_;
  FileNames names_{folder_.path(), "shop"};
  std::filesystem::path open_ = names_.open(Lsn{0x20}, GetParam());
  std::unique_ptr<Compressor> compressor_ = make_compressor(GetParam());
  std::unique_ptr<Decompressor> decompressor_ = make_decompressor(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Each, FileCompressionTest,
                         testing::Values(Compression::gzip, Compression::zstd),
                         [](const auto& kind) { return tests::compression_name(kind.param); });

// Members as they stand in a file: where each ends, and the last whole unit's end if it is there.
struct CompressedFile {
  struct End {
    std::size_t size = 0;
    std::uint64_t lsn = 0;  // 0: inside a unit
  };
  std::string bytes;
  std::vector<End> ends;

  void add(const std::string& member, std::uint64_t lsn) {
    bytes += member;
    ends.push_back({bytes.size(), lsn});
  }
  // Where a file of which the first `size` bytes are good is cut.
  End whole_within(std::size_t size) const {
    End last;
    for (const auto& end : ends) {
      if (end.size <= size && end.lsn != 0) last = end;
    }
    return last;
  }
};

TEST_P(FileCompressionTest, GivesBackWhatItTookWithOthersToo) {
  std::mt19937 random(1);
  std::string noise(largest_content, '\0');
  for (auto& c : noise) c = static_cast<char>(random());
  std::string file;
  std::string expected;
  for (const auto& content : {row_line(0x20, 0, 0x28), std::string(1, 'x'), noise,
                              std::string(largest_content, 'x'), message_line(0x30)}) {
    const auto bytes = member(content);
    ASSERT_LE(bytes.size(), decompressor_->largest_member());
    const auto back = decompressor_->decompress(bytes + "more");
    ASSERT_TRUE(back);
    EXPECT_EQ(back->size, bytes.size());
    EXPECT_EQ(back->content, content);
    file += bytes;
    expected += content;
  }
  EXPECT_EQ(lines_of(file, GetParam()), expected);
}

TEST_P(FileCompressionTest, TakesNoMemberWithAFlippedBitOrTooFewBytes) {
  const auto content = row_line(0x20, 0, 0x28) + "\n" + row_line(0x30, 0, 0x38) + "\n";
  const auto bytes = member(content);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // In a block of its size: AddressSanitizer sees a byte read too many.
    const std::vector<char> torn(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decompressor_->decompress({torn.data(), torn.size()})) << size;
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const auto member = decompressor_->decompress(damaged);
    // What tells no reader anything (gzip: time, system; zstd: a bit nobody uses) may change.
    EXPECT_TRUE(!member || member->content == content) << "bit " << bit;
  }
}

TEST_P(FileCompressionTest, TakesNoMemberThatIsLargerThanItsMemory) {
  const auto half = member(std::string(largest_content, 'x'));
  ASSERT_TRUE(decompressor_->decompress(half));
  std::string large(8 << 20, '\0');
  std::size_t size = 0;
  const std::string content(largest_content + 1, 'x');
  if (GetParam() == Compression::zstd) {
    size = ZSTD_compress(large.data(), large.size(), content.data(), content.size(), 1);
  } else {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(large.data());
    stream.avail_out = static_cast<uInt>(large.size());
    deflate(&stream, Z_FINISH);
    size = stream.total_out;
    deflateEnd(&stream);
  }
  EXPECT_FALSE(decompressor_->decompress(std::string_view(large).substr(0, size)));
}

// Every state the bytes of a file can be in after a crash: cut anywhere, and with a page that never
// reached the disk.
TEST_P(FileCompressionTest, RecoversTheWholeUnitsThatEndWithAMember) {
  CompressedFile file;
  file.add(member(row_line(0x20, 0, 0) + "\n" + row_line(0x20, 1, 0x28) + "\n"), 0x28);
  file.add(member(message_line(0x30) + "\n" + row_line(0x38, 0, 0x40) + "\n"), 0x40);
  file.add(member(row_line(0x48, 0, 0) + "\n"), 0);  // synced inside a transaction
  file.add(member(row_line(0x48, 1, 0) + "\n"), 0);
  file.add(member(row_line(0x48, 2, 0x50) + "\n" + message_line(0x58) + "\n"), 0x58);
  file.add(member(row_line(0x60, 0, 0) + "\n"), 0);
  for (std::size_t size = 0; size <= file.bytes.size(); ++size) {
    const auto [whole, end] = file.whole_within(size);
    expect_recovered(file.bytes.substr(0, size), whole, end, "cut at " + std::to_string(size));
  }
  constexpr std::size_t page = 16;  // any alignment is as good
  for (std::size_t at = 0; at < file.bytes.size(); at += page) {
    auto torn = file.bytes;
    const auto missing = std::min(page, torn.size() - at);
    if (torn.compare(at, missing, std::string(missing, '\0')) == 0) continue;
    std::fill_n(torn.begin() + static_cast<std::ptrdiff_t>(at), missing, '\0');
    const auto [whole, end] = file.whole_within(at);
    expect_recovered(torn, whole, end, "no page at " + std::to_string(at));
  }
  const auto [whole, end] = file.whole_within(file.bytes.size());
  expect_recovered(file.bytes + std::string(2'000'000, '\0'), whole, end, "zeros at the end");
}

// A unit's end inside a member, which we never write, is none where the file can go on.
TEST_P(FileCompressionTest, CutsBeforeAMemberThatGoesOnBehindAUnit) {
  const auto first = member(row_line(0x20, 0, 0x28) + "\n");
  const auto second = member(row_line(0x30, 0, 0x38) + "\n" + row_line(0x40, 0, 0) + "\n");
  expect_recovered(first + second, first.size(), 0x28, "no end");
  const auto third = member(row_line(0x40, 1, 0x48) + "\n");
  expect_recovered(first + second + third, (first + second + third).size(), 0x48, "an end");
}

TEST_P(FileCompressionTest, ReadsFilesAndLinesLargerThanItsMemory) {
  CompressedFile file;
  std::uint64_t lsn = 0x20;
  for (int units = 0; units < 40; ++units, lsn += 0x10) {
    const auto line =
        row_line(lsn, 0, lsn + 8, std::string(static_cast<std::size_t>(units) * 30'000, 'y')) +
        "\n";
    for (std::size_t at = 0; at < line.size(); at += largest_content) {
      const bool last = at + largest_content >= line.size();
      file.add(member(line.substr(at, largest_content)), last ? lsn + 8 : 0);
    }
    for (int messages = 0; messages < 50; ++messages) {
      lsn += 0x10;
      file.add(member(message_line(lsn) + "\n"), lsn);
    }
  }
  const auto size = file.bytes.size() - 1;
  const auto [whole, end] = file.whole_within(size);
  expect_recovered(file.bytes.substr(0, size), whole, end, "large");
}

}  // namespace
}  // namespace pgcourier::sinks
