#include "sinks/stdout_sink.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <thread>

#include "tests/sinks/file_support.hpp"

namespace pgcourier::sinks {
namespace {

using tests::SinkDriver;

class StdoutSinkTest : public testing::Test {
 protected:
  StdoutSinkTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    reader_ = Fd(ends[0]);
    writer_ = Fd(ends[1]);
    stream_.emplace(writer_.get());
  }

  std::string read_some() const {
    std::string text(1 << 20, '\0');
    const auto got = ::read(reader_.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  std::string read_bytes(std::size_t count) const {
    std::string text;
    while (text.size() < count) text += read_some();
    return text;
  }

  // A session that ends while the pipe is full.
  void abandon(const std::string& line, int times) {
    StdoutSink sink("stdout", *stream_);
    SinkDriver driver(sink);
    sink.start({});
    for (int i = 0; i < times; ++i) driver.write(line);
    sink.flush();
    ASSERT_TRUE(driver.wait_until([&] { return !sink.stalled_because().empty(); }));
  }

  Fd reader_;
  Fd writer_;
  std::optional<LineStream> stream_;
};

TEST_F(StdoutSinkTest, WritesEachRecordAsALine) {
  StdoutSink sink("stdout", *stream_);
  SinkDriver driver(sink);
  sink.start({});
  driver.write("one");
  driver.write("two");
  driver.commit(100);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(read_some(), "one\ntwo\n");
  sink.close();
  EXPECT_EQ(sink.totals().events, 2u);
  EXPECT_EQ(sink.totals().bytes, 8u);
}

TEST_F(StdoutSinkTest, AFullPipeBlocksNothingButItsOwnDeliveries) {
  StdoutSink sink("stdout", *stream_);
  SinkDriver driver(sink);
  sink.start({});
  const std::string line(1000, 'x');
  for (int i = 0; i < 1000; ++i) driver.write(line);  // the pipe takes 64 KiB
  driver.commit(100);
  ASSERT_TRUE(driver.wait_until([&] { return !sink.stalled_because().empty(); }));
  EXPECT_LT(driver.deliveries, driver.deliveries_wanted);

  std::size_t bytes = 0;
  std::thread reader([&] {
    while (bytes < 1001u * 1000u) bytes += read_some().size();
  });
  EXPECT_TRUE(driver.settle());
  reader.join();
  EXPECT_EQ(bytes, 1001u * 1000u);
  EXPECT_EQ(sink.stalled_because(), "");
}

TEST_F(StdoutSinkTest, CanBeDestroyedWhileThePipeIsFull) {
  StdoutSink sink("stdout", *stream_);
  SinkDriver driver(sink);
  sink.start({});
  driver.write(std::string(1 << 20, 'x'));
  sink.flush();
}

TEST_F(StdoutSinkTest, EndsTheLineThatASessionBeforeHasBegun) {
  const std::string line(1 << 20, 'x');
  abandon(line, 1);
  EXPECT_TRUE(stream_->in_a_line());
  StdoutSink next("stdout", *stream_);
  SinkDriver driver(next);
  next.start({});
  driver.write("two");
  driver.commit(100);
  std::string text;
  std::thread reader([&] { text = read_bytes(line.size() + 5); });
  EXPECT_TRUE(driver.settle());
  reader.join();
  EXPECT_TRUE(text == line + "\ntwo\n");
  EXPECT_FALSE(stream_->in_a_line());
}

TEST_F(StdoutSinkTest, EndsThatLineOverAnyNumberOfSessions) {
  const std::string line(1 << 20, 'x');
  std::size_t read = 0;
  for (int i = 0; i < 3; ++i) {
    abandon(line, 1);
    read += read_some().size();
  }
  // Of the second and third session nothing was written: the first one's line came before.
  const auto rest = line.size() + 1 - read;
  std::string text;
  std::thread reader([&] { text = read_bytes(rest); });
  EXPECT_TRUE(stream_->end_line(std::chrono::seconds(10)));
  reader.join();
  EXPECT_TRUE(text == std::string(rest - 1, 'x') + "\n");
}

TEST_F(StdoutSinkTest, EndsThatLineWithoutAnotherEvent) {
  const std::string line(1 << 20, 'x');
  abandon(line, 1);
  StdoutSink next("stdout", *stream_);
  next.start({});
  EXPECT_TRUE(read_bytes(line.size() + 1) == line + "\n");
}

TEST_F(StdoutSinkTest, GivesUpTheLineOfAReaderThatTakesNothing) {
  const std::string line(1 << 20, 'x');
  abandon(line, 1);
  EXPECT_FALSE(stream_->end_line(std::chrono::milliseconds(10)));
  std::string text;
  std::thread reader([&] { text = read_bytes(line.size() + 1); });
  EXPECT_TRUE(stream_->end_line(std::chrono::seconds(10)));
  reader.join();
  EXPECT_TRUE(text == line + "\n");
}

TEST_F(StdoutSinkTest, BeginsNoLineThatThePipeHasNoRoomFor) {
  const std::string line(1000, 'x');
  abandon(line, 1000);
  EXPECT_FALSE(stream_->in_a_line());
  EXPECT_EQ(read_some().size() % (line.size() + 1), 0u);
}

TEST_F(StdoutSinkTest, EndsOrderlyWhenNobodyReadsAnyMore) {
  StdoutSink sink("stdout", *stream_);
  SinkDriver driver(sink);
  sink.start({});
  reader_.reset();
  driver.write("one");
  driver.commit(100);
  try {
    driver.settle();
    FAIL() << "a closed pipe went unnoticed";
  } catch (const cdc::SinkError& error) {
    EXPECT_EQ(error.failure(), cdc::SinkFailure::closed);
  }
}

TEST_F(StdoutSinkTest, LeavesTheSharedDescriptorBlocking) {
  StdoutSink sink("stdout", *stream_);
  SinkDriver driver(sink);
  sink.start({});
  driver.write("one");
  driver.commit(100);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(::fcntl(writer_.get(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace pgcourier::sinks
