#include "sinks/null_sink.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using tests::SinkDriver;

TEST(NullSink, HasTheChecksumOfAFileOfTheSameLines) {
  NullSink sink("null");
  SinkDriver driver(sink);
  driver.write("one");
  driver.write("two");
  driver.commit(100);

  const std::string file = "one\ntwo\n";
  const auto totals = sink.totals();
  EXPECT_EQ(totals.events, 2u);
  EXPECT_EQ(totals.bytes, file.size());
  EXPECT_EQ(totals.checksum, crc32_z(0, reinterpret_cast<const Bytef*>(file.data()), file.size()));
}

TEST(NullSink, ReportsEveryRecordAsDurableAtOnce) {
  NullSink sink("null");
  SinkDriver driver(sink);
  driver.transaction(8, 3, 16);
  driver.transaction(16, 1, 24);
  driver.collect();
  EXPECT_EQ(driver.deliveries, 4u);
  EXPECT_EQ(driver.bytes_held, 0u);
}

TEST(NullSink, KeepsNoBookmarkAndAnswersAdvanceAtOnce) {
  NullSink sink("null");
  SinkDriver driver(sink);
  EXPECT_FALSE(sink.keeps_bookmark());
  EXPECT_EQ(sink.ready_fd(), -1);
  sink.advance({protocol::Lsn{1}, protocol::Lsn{9}});
  driver.collect();
  EXPECT_EQ(driver.bookmarked, protocol::Lsn{9});
}

}  // namespace
}  // namespace pgcourier::sinks
