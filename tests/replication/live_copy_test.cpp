// COPY both ways, both formats and both protocols against a real server, §55.2.6.
#include <gmock/gmock.h>

#include "replication/copy.hpp"
#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using protocol::Requests;
using test::Session;

Requests simple(std::string_view sql) {
  Requests requests;
  requests.query(sql);
  return requests;
}
Requests extended(std::string_view sql) {
  Requests requests;
  requests.parse("", sql).bind("", "", {}).execute("").flush();
  return requests;
}
Requests extended_synced(std::string_view sql) {
  Requests requests;
  requests.parse("", sql).bind("", "", {}).execute("").sync();
  return requests;
}

// Gives `data` once.
CopySource once(const std::string& data) {
  return [&data, given = false]() mutable -> std::optional<std::string_view> {
    if (given) return std::nullopt;
    given = true;
    return data;
  };
}

class LiveCopy : public test::LiveMajor {
 protected:
  void SetUp() override {
    LiveMajor::SetUp();
    if (session_) session_->query("CREATE TEMPORARY TABLE copied (id int, text text)");
  }
  std::string in(const Requests& requests, const CopySource& source) {
    return test::run(session_->io, copy_in(connection(), requests, source));
  }
  std::string out(const Requests& requests, std::string& data) {
    return test::run(session_->io, copy_out(connection(), requests,
                                            [&](std::string_view piece) { data += piece; }));
  }
  std::string in_error(const Requests& requests, const CopySource& source) {
    try {
      return in(requests, source);
    } catch (const protocol::ServerError& error) {
      return std::string(error.sqlstate());
    }
  }
  std::string count() { return session_->value("SELECT count(*) FROM copied"); }
};

INSTANTIATE_TEST_SUITE_P(Each, LiveCopy, LiveCopy::each(), LiveCopy::name);

TEST_P(LiveCopy, CopiesBothWaysInEachFormatThroughEachProtocol) {
  for (const std::string format : {"text", "csv", "binary"}) {
    session_->query(
        "TRUNCATE copied; INSERT INTO copied VALUES (1, 'one'), (2, NULL), (3, E'\\n')");
    const std::string to = "COPY copied TO STDOUT (FORMAT " + format + ")";
    const std::string from = "COPY copied FROM STDIN (FORMAT " + format + ")";
    std::string data;
    EXPECT_EQ(out(simple(to), data), "COPY 3");
    std::string again;
    EXPECT_EQ(out(extended_synced(to), again), "COPY 3");
    EXPECT_EQ(data, again);
    if (format == "text") {
      EXPECT_EQ(data, "1\tone\n2\t\\N\n3\t\\n\n");
    }
    session_->query("TRUNCATE copied");
    EXPECT_EQ(in(simple(from), once(data)), "COPY 3");
    EXPECT_EQ(in(extended(from), once(data)), "COPY 3");
    EXPECT_EQ(session_->value("SELECT string_agg(text, ',' ORDER BY id) FROM copied"),
              "one,one,\n,\n");
  }
}

TEST_P(LiveCopy, CopiesNothing) {
  const std::string nothing;
  EXPECT_EQ(in(simple("COPY copied FROM STDIN"), once(nothing)), "COPY 0");
  std::string data;
  EXPECT_EQ(out(simple("COPY copied TO STDOUT"), data), "COPY 0");
  EXPECT_EQ(data, "");
}

TEST_P(LiveCopy, StopsAskingForDataOnceTheServerHasRefused) {
  for (const auto& make : {simple, extended}) {
    std::size_t pieces = 0;
    std::string piece;
    const CopySource endless = [&]() -> std::optional<std::string_view> {
      piece.clear();
      for (int i = 0; i < 1000; ++i) piece += std::to_string(i) + "\tfine\n";
      if (++pieces == 100) piece = "wrong\trow\n";
      return piece;
    };
    EXPECT_EQ(in_error(make("COPY copied FROM STDIN"), endless), "22P02");
    EXPECT_GE(pieces, 100U);
    EXPECT_EQ(count(), "0");
  }
}

TEST_P(LiveCopy, IsRefusedBeforeItStarts) {
  for (const auto& make : {simple, extended}) {
    EXPECT_EQ(in_error(make("COPY nowhere FROM STDIN"), once("")), "42P01");
    EXPECT_EQ(in_error(make("COPY copied FROM STDIN (WRONG)"), once("")), "42601");
    EXPECT_THROW(in(make("SELECT 1 WHERE false"), once("")), protocol::ProtocolError);
    session_.emplace(target());
    session_->query("CREATE TEMPORARY TABLE copied (id int, text text)");
  }
  std::string data;
  EXPECT_THROW(out(simple("COPY nowhere TO STDOUT"), data), protocol::ServerError);
  EXPECT_THROW(out(extended_synced("COPY nowhere TO STDOUT"), data), protocol::ServerError);
  EXPECT_EQ(count(), "0");
}

TEST_P(LiveCopy, FailsWhenTheSourceFails) {
  for (const auto& make : {simple, extended}) {
    int pieces = 0;
    const CopySource failing = [&]() -> std::optional<std::string_view> {
      if (++pieces == 3) throw std::runtime_error("the file ends early");
      return "1\tone\n";
    };
    EXPECT_THROW(in(make("COPY copied FROM STDIN"), failing), std::runtime_error);
    EXPECT_EQ(count(), "0");
  }
}

TEST_P(LiveCopy, KeepsLittleOfALargeCopyInMemory) {
  for (const auto mode : {SslMode::disable, SslMode::require}) {
    auto target = this->target();
    target.ssl_mode = mode;
    session_.emplace(target);
    session_->query("CREATE TEMPORARY TABLE copied (id int, text text)");
    const std::string piece = "1\t" + std::string(99'997, 'x') + "\n";
    int pieces = 0;
    std::size_t unsent = 0;
    const CopySource large = [&]() -> std::optional<std::string_view> {
      unsent = std::max(unsent, connection().unsent_bytes());
      return ++pieces <= 500 ? std::optional<std::string_view>(piece) : std::nullopt;
    };
    EXPECT_EQ(in(simple("COPY copied FROM STDIN"), large), "COPY 500");
    EXPECT_LT(unsent, 400'000U);
    std::size_t received = 0;
    test::run(session_->io, copy_out(connection(), simple("COPY copied TO STDOUT"),
                                     [&](std::string_view row) { received += row.size(); }));
    EXPECT_EQ(received, 50'000'000U);
  }
}

TEST_P(LiveCopy, EndsWithAnErrorInTheMiddleOfACopyOut) {
  const std::string failing =
      "COPY (SELECT 1 / (5000 - i) FROM generate_series(1, 9999) i) TO STDOUT";
  for (const auto& make : {simple, extended_synced}) {
    std::string data;
    try {
      out(make(failing), data);
      FAIL();
    } catch (const protocol::ServerError& error) {
      EXPECT_EQ(error.sqlstate(), "22012");
    }
    EXPECT_FALSE(data.empty());
    EXPECT_EQ(count(), "0");
  }
}

TEST_P(LiveCopy, CanBeCancelled) {
  const Requests endless =
      simple("COPY (SELECT repeat('x', 1000) || generate_series(1, 1000000000)) TO STDOUT");
  std::size_t received = 0;
  bool cancelled = false;
  asio::io_context& io = session_->io;
  try {
    test::run(io, copy_out(connection(), endless, [&](std::string_view row) {
                received += row.size();
                if (received < 20'000'000 || std::exchange(cancelled, true)) return;
                asio::co_spawn(io, connection().cancel(), asio::detached);
              }));
    FAIL();
  } catch (const protocol::ServerError& error) {
    EXPECT_EQ(error.sqlstate(), "57014");
  }
  EXPECT_EQ(count(), "0");
}

TEST_P(LiveCopy, IsGivenUpByTheNextQuery) {
  connection().send(simple("COPY copied FROM STDIN; SELECT 1"));
  EXPECT_EQ(session_->value("SELECT 2"), "2");
  connection().send(simple("COPY copied FROM STDIN"));
  test::run(session_->io, connection().next_reply());
  connection().send_copy_data("1\tone\n");
  EXPECT_EQ(count(), "0");
  std::string data;
  const CopySink broken = [](std::string_view) { throw std::runtime_error("the disk is full"); };
  session_->query("INSERT INTO copied SELECT i FROM generate_series(1, 9) i");
  EXPECT_THROW(
      test::run(session_->io, copy_out(connection(), simple("COPY copied TO STDOUT"), broken)),
      std::runtime_error);
  EXPECT_EQ(count(), "9");
  EXPECT_THROW(session_->query("COPY copied FROM STDIN"), protocol::ProtocolError);
}

TEST_P(LiveCopy, TakesNoticesInTheMiddle) {
  session_->query(R"(
    CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN RAISE NOTICE ''row %'', NEW.id; RETURN NEW; END';
    CREATE TRIGGER tell BEFORE INSERT ON copied FOR EACH ROW EXECUTE FUNCTION pg_temp.tell())");
  const std::string rows = "7\tseven\n8\teight\n";
  EXPECT_EQ(in(simple("COPY copied FROM STDIN"), once(rows)), "COPY 2");
  const auto notices = connection().take_notices();
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[1].message, "row 8");
}

TEST_P(LiveCopy, TellsThatItsProcessWasTerminated) {
  Session other(target());
  const auto terminate = [&] {
    other.query("SELECT pg_terminate_backend(" + std::to_string(connection().server().process_id) +
                ")");
  };
  int pieces = 0;
  const CopySource endless = [&]() -> std::optional<std::string_view> {
    if (++pieces == 1000) terminate();
    return "1\tone\n";
  };
  EXPECT_EQ(in_error(simple("COPY copied FROM STDIN"), endless), "57P01");
  session_.emplace(target());
  std::size_t rows = 0;
  try {
    test::run(
        session_->io,
        copy_out(connection(), simple("COPY (SELECT generate_series(1, 1000000000)) TO STDOUT"),
                 [&](std::string_view) {
                   if (++rows == 1000) terminate();
                 }));
    FAIL();
  } catch (const protocol::ServerError& error) {
    EXPECT_EQ(error.sqlstate(), "57P01");
  }
}

}  // namespace
}  // namespace pgcourier::replication
