#include "sinks/stdout_sink.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
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
  }

  std::string read_some() const {
    std::string text(1 << 20, '\0');
    const auto got = ::read(reader_.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  Fd reader_;
  Fd writer_;
};

TEST_F(StdoutSinkTest, WritesEachRecordAsALine) {
  StdoutSink sink("stdout", writer_.get());
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
  StdoutSink sink("stdout", writer_.get());
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
  StdoutSink sink("stdout", writer_.get());
  SinkDriver driver(sink);
  sink.start({});
  driver.write(std::string(1 << 20, 'x'));
  sink.flush();
}

TEST_F(StdoutSinkTest, EndsOrderlyWhenNobodyReadsAnyMore) {
  StdoutSink sink("stdout", writer_.get());
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
  StdoutSink sink("stdout", writer_.get());
  SinkDriver driver(sink);
  sink.start({});
  driver.write("one");
  driver.commit(100);
  ASSERT_TRUE(driver.settle());
  EXPECT_EQ(::fcntl(writer_.get(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace pgcourier::sinks
