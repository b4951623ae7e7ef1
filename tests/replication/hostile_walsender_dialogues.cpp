// Replication commands and streams.
#include "replication/replication_commands.hpp"
#include "replication/wal_stream.hpp"
#include "tests/replication/hostile_dialogue.hpp"
#include "tests/replication/walsender_messages.hpp"

namespace pgcourier::replication::test {
namespace {

constexpr std::uint64_t wal_start = 0x1000000;

// Silence in a stream is its reader's business, who knows what is silent for good reason.
class SilenceLimit {
 public:
  SilenceLimit(const asio::any_io_executor& executor, Connection& connection)
      : timer_(executor, std::chrono::milliseconds(100)) {
    timer_.async_wait([&connection](const boost::system::error_code& error) {
      if (!error) connection.close();
    });
  }

 private:
  asio::steady_timer timer_;
};

asio::awaitable<void> stream(Connection& connection) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  {
    const SilenceLimit limit(executor, connection);
    co_await connection.start_copy_both("START_REPLICATION SLOT s LOGICAL 0/0");
    std::size_t messages = 0;
    while (!connection.server_ended_copy()) {
      co_await connection.read_some();
      while (connection.next_copy_data()) ++messages;
      if (messages > 1) connection.send_copy_done();
    }
  }
  static_cast<void>(co_await connection.query("IDENTIFY_SYSTEM"));
}

struct Receiver : WalReceiver {
  explicit Receiver(std::size_t most) : most_bytes(most) {}

  void receive(const protocol::XLogData& wal) override { bytes += wal.payload.size(); }
  WalProgress progress() override { return {.write = {wal_start + bytes}}; }
  bool enough() const override { return bytes >= most_bytes; }

  std::size_t most_bytes;
  std::size_t bytes = 0;
};

asio::awaitable<void> stream_physical(Connection& connection, std::size_t most_bytes) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const SilenceLimit limit(executor, connection);
  Receiver receiver(most_bytes);
  protocol::StartPhysicalReplication options;
  options.start = {wal_start};
  options.timeline = 1;
  static_cast<void>(co_await stream_wal(connection, options, receiver));
}
constexpr std::size_t some = 3;
constexpr std::size_t all = 1'000'000;
asio::awaitable<void> stream_some_wal(Connection& connection) {
  return stream_physical(connection, some);
}
asio::awaitable<void> stream_a_timeline(Connection& connection) {
  return stream_physical(connection, all);
}

// Each XLogData begins where the one before it ended, until the receiver has enough.
bool without_gaps(const std::vector<std::string>& messages, std::size_t most_bytes) {
  constexpr std::size_t start_at = 6;
  constexpr std::size_t payload_at = 30;
  std::uint64_t due = wal_start;
  for (const std::string& message : messages) {
    if (message[0] != 'd' || due >= wal_start + most_bytes) continue;
    if (message.size() < 6) return false;
    if (message[5] != 'w') continue;
    if (message.size() < payload_at) return false;
    const auto start = boost::endian::endian_load<std::uint64_t, 8, boost::endian::order::big>(
        reinterpret_cast<const unsigned char*>(message.data() + start_at));
    if (start != due) return false;
    due += message.size() - payload_at;
  }
  return true;
}
bool some_wal(const std::vector<std::string>& messages) { return without_gaps(messages, some); }
bool a_timeline(const std::vector<std::string>& messages) { return without_gaps(messages, all); }

asio::awaitable<void> identify(Connection& connection) {
  static_cast<void>(co_await identify_system(connection));
}
asio::awaitable<void> show_setting(Connection& connection) {
  static_cast<void>(co_await show(connection, "wal_segment_size"));
}
asio::awaitable<void> get_history(Connection& connection) {
  static_cast<void>(co_await timeline_history(connection, 2));
}
asio::awaitable<void> create_slot(Connection& connection) {
  protocol::CreateLogicalSlot options;
  options.slot = "s";
  options.snapshot = protocol::SlotSnapshot::export_;
  static_cast<void>(co_await create_replication_slot(connection, options));
}
asio::awaitable<void> read_slot(Connection& connection) {
  static_cast<void>(co_await read_replication_slot(connection, "s"));
}
asio::awaitable<void> alter_slot(Connection& connection) {
  protocol::AlterSlot options;
  options.slot = "s";
  options.failover = true;
  co_await alter_replication_slot(connection, options);
}
asio::awaitable<void> drop_slot(Connection& connection) {
  co_await drop_replication_slot(connection, "s", false);
}

// As with PQexec() the last result counts, and rows where none are due are nobody's.
const std::string good_statement = "((T (D )*)?C |I )";
const std::string good_query = '(' + good_statement + ")+Z ";
const std::string good_row = good_statement + "*T D C Z ";

// A command that is answered at once.
Dialogue command(const std::string& name, const std::string& says,
                 asio::awaitable<void> (*act)(Connection&), const std::string& good) {
  const std::string begun = welcome("17.2");
  return {.name = name,
          .turns = {start(begun), answer(says + ready_for_query())},
          .act = act,
          .good = good_start + good,
          .purpose = Purpose::replication,
          .spoiled_from = split_messages(begun).size()};
}

}  // namespace

std::vector<Dialogue> walsender_dialogues() {
  const std::string begun = welcome();
  const std::size_t opened = split_messages(begun).size();
  const std::string stream_end = command_complete("COPY 0") + ready_for_query();
  const Turn unanswered = answer("");
  // CopyDone may overtake the changes of a transaction that is being sent, and does not come before
  // a shutdown. The result behind it is as PQgetResult() takes it.
  const std::string good_copy_both = "W (d.? )*(c (d.? )*)?";
  // What more there is of an answer is read and dropped by the next query.
  const std::string good_leftover = "((T (D )*)?C |H (d.? )*c )*Z ";
  const std::string good_physical = "((T (D )*)?C |" + good_copy_both + "(T (D )*)?(C )+)+Z ";
  return {
      {.name = "stream",
       .turns = {start(begun),
                 answer(copy_both_response() + keepalive(false) + notice("in the stream") +
                        parameter_status("a", "b") + keepalive(false)),
                 answer(copy_done() + stream_end),
                 answer(one_row("a", "1") + command_complete("SELECT 1") + ready_for_query())},
       .act = stream,
       .good = good_start + good_copy_both + "(C )+" + good_leftover + good_query,
       .any_body = {"d", "dk", "dw", "dS", "da"},
       .purpose = Purpose::replication,
       .spoiled_from = opened},
      {.name = "physical stream",
       .turns = {start(begun),
                 answer(copy_both_response() + keepalive(true) + wal(wal_start, "ab") +
                        wal(wal_start + 2, "c")),
                 unanswered, unanswered, unanswered, answer(copy_done() + stream_end)},
       .act = stream_some_wal,
       .good = good_start + good_physical,
       .any_body = {"d", "dk", "dw"},
       .whole = some_wal,
       .purpose = Purpose::physical_replication,
       .spoiled_from = opened},
      {.name = "end of a timeline",
       .turns = {start(begun),
                 answer(copy_both_response() + wal(wal_start, "ab") + wal(wal_start + 2, "cd") +
                        copy_done()),
                 unanswered, unanswered,
                 answer(result({"2", "0/1000004"}) + command_complete("START_STREAMING") +
                        ready_for_query())},
       .act = stream_a_timeline,
       .good = good_start + good_physical,
       .any_body = {"dw"},
       .whole = a_timeline,
       .purpose = Purpose::physical_replication,
       .spoiled_from = opened},
      command("IDENTIFY SYSTEM", result({"7000", "1", "0/1000000", "d"}), identify, good_row),
      command("SHOW", result({"16MB"}), show_setting, good_row),
      command("TIMELINE HISTORY", result({"00000002.history", "1\t0/1000000\tno reason\n"}),
              get_history, good_row),
      command("CREATE REPLICATION SLOT", result({"s", "0/1000000", "00000003-1", "pgoutput"}),
              create_slot, good_row),
      command("READ REPLICATION SLOT", result({"physical", "0/1000000", "1"}), read_slot, good_row),
      command("ALTER REPLICATION SLOT", command_complete("ALTER_REPLICATION_SLOT"), alter_slot,
              good_query),
      command("DROP REPLICATION SLOT", command_complete("DROP_REPLICATION_SLOT"), drop_slot,
              good_query),
  };
}

}  // namespace pgcourier::replication::test
