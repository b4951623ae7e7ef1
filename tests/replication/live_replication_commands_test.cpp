// The replication commands on a server of each major, §55.4.
#include <gmock/gmock.h>

#include "protocol/server_error.hpp"
#include "protocol/timeline_history.hpp"
#include "replication/replication_commands.hpp"
#include "tests/replication/live_support.hpp"

namespace pgcourier::replication {
namespace {

using protocol::Lsn;
using protocol::SlotSnapshot;
using test::Session;
using testing::HasSubstr;

class LiveReplicationCommands : public test::LiveTest {
 protected:
  template <typename Test>
  void on_each_major(Test test) {
    for (const int major : majors) {
      SCOPED_TRACE(major);
      test(major, target_of(major));
    }
  }
  // Of pg_replication_slots.
  static std::string of_slot(Session& sql, const std::string& columns) {
    return sql.value("SELECT concat_ws(' ', " + columns +
                     ") FROM pg_replication_slots "
                     "WHERE slot_name = 'commands'");
  }
  static std::string error_of(Session& session, asio::awaitable<void> command) {
    try {
      test::run(session.io, std::move(command));
    } catch (const protocol::ServerError& error) {
      return std::string(error.sqlstate());
    }
    return "";
  }
};

TEST_F(LiveReplicationCommands, IdentifyTheSystem) {
  on_each_major([](int, const config::ConnectionTarget& target) {
    Session sql(target);
    for (const auto purpose : {Purpose::replication, Purpose::physical_replication}) {
      Session walsender(target, purpose);
      const auto identity = test::run(walsender.io, identify_system(walsender.connection));
      EXPECT_EQ(identity.system_identifier,
                sql.value("SELECT system_identifier FROM pg_control_system()"));
      EXPECT_EQ(identity.timeline, 1U);
      EXPECT_GT(identity.xlogpos, Lsn{});
      if (purpose == Purpose::replication) {
        EXPECT_EQ(identity.database, "postgres");
      } else {
        EXPECT_EQ(identity.database, std::nullopt);
        EXPECT_THROW(walsender.query("SELECT 1"), protocol::ServerError);
      }
      EXPECT_EQ(test::run(walsender.io, show(walsender.connection, "wal_segment_size")), "16MB");
      EXPECT_THROW(test::run(walsender.io, show(walsender.connection, "no.such")),
                   protocol::ServerError);
      EXPECT_THROW(test::run(walsender.io, timeline_history(walsender.connection, 99)),
                   protocol::ServerError);
      EXPECT_EQ(test::run(walsender.io, show(walsender.connection, "max_connections")), "30");
    }
  });
}

TEST_F(LiveReplicationCommands, MakePhysicalSlots) {
  on_each_major([](int major, const config::ConnectionTarget& target) {
    Session sql(target);
    Session walsender(target, Purpose::physical_replication);
    for (const bool reserve : {false, true}) {
      protocol::CreatePhysicalSlot options;
      options.slot = "commands";
      options.reserve_wal = reserve;
      options.temporary = reserve;
      const auto slot =
          test::run(walsender.io, create_replication_slot(walsender.connection, options));
      EXPECT_EQ(slot.slot, "commands");
      EXPECT_EQ(slot.consistent_point, Lsn{});
      EXPECT_FALSE(slot.snapshot || slot.output_plugin);
      EXPECT_EQ(of_slot(sql, "slot_type, temporary"), reserve ? "physical t" : "physical f");
      if (major < 15) {
        EXPECT_THROW(
            test::run(walsender.io, read_replication_slot(walsender.connection, "commands")),
            std::invalid_argument);
      } else {
        const auto read =
            test::run(walsender.io, read_replication_slot(walsender.connection, "commands"));
        ASSERT_TRUE(read);
        EXPECT_EQ(read->restart_lsn.has_value(), reserve);
        EXPECT_EQ(read->restart_timeline, reserve ? 1U : 0U);
        if (reserve) {
          EXPECT_EQ(to_string(*read->restart_lsn), of_slot(sql, "restart_lsn"));
        }
        EXPECT_FALSE(
            test::run(walsender.io, read_replication_slot(walsender.connection, "no_such")));
      }
      test::run(walsender.io, drop_replication_slot(walsender.connection, "commands", reserve));
    }
    EXPECT_EQ(error_of(walsender, drop_replication_slot(walsender.connection, "commands", false)),
              "42704");
  });
}

TEST_F(LiveReplicationCommands, MakeLogicalSlotsWithASnapshot) {
  on_each_major([](int, const config::ConnectionTarget& target) {
    Session sql(target);
    Session walsender(target, Purpose::replication);
    protocol::CreateLogicalSlot options;
    options.slot = "commands";
    options.temporary = true;
    options.snapshot = SlotSnapshot::export_;
    auto slot = test::run(walsender.io, create_replication_slot(walsender.connection, options));
    EXPECT_EQ(slot.output_plugin, "pgoutput");
    EXPECT_GT(slot.consistent_point, Lsn{});
    ASSERT_TRUE(slot.snapshot);
    sql.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '" + *slot.snapshot +
              "'");
    sql.query("COMMIT");
    test::run(walsender.io, drop_replication_slot(walsender.connection, "commands", false));

    options.snapshot = SlotSnapshot::use;
    walsender.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    slot = test::run(walsender.io, create_replication_slot(walsender.connection, options));
    EXPECT_FALSE(slot.snapshot);
    EXPECT_EQ(walsender.value("SELECT count(*) FROM pg_class WHERE relname = 'pg_class'"), "1");
    walsender.query("COMMIT");
    test::run(walsender.io, drop_replication_slot(walsender.connection, "commands", true));
  });
}

TEST_F(LiveReplicationCommands, MakeAndAlterSlotsAsTheVersionAllows) {
  on_each_major([](int major, const config::ConnectionTarget& target) {
    Session sql(target);
    Session walsender(target, Purpose::replication);
    auto& connection = walsender.connection;
    protocol::CreateLogicalSlot options;
    options.slot = "commands";
    options.two_phase = true;
    if (major < 15) {
      EXPECT_THROW(test::run(walsender.io, create_replication_slot(connection, options)),
                   std::invalid_argument);
      // The grammar has no word for it indeed.
      EXPECT_THROW(walsender.query("CREATE_REPLICATION_SLOT commands LOGICAL pgoutput TWO_PHASE"),
                   protocol::ServerError);
      options.two_phase = false;
    }
    test::run(walsender.io, create_replication_slot(connection, options));
    EXPECT_EQ(of_slot(sql, "two_phase"), major < 15 ? "f" : "t");
    test::run(walsender.io, drop_replication_slot(connection, "commands", false));

    protocol::AlterSlot change;
    change.slot = "commands";
    change.failover = false;
    options.two_phase = false;
    options.failover = true;
    if (major < 17) {
      EXPECT_THROW(test::run(walsender.io, create_replication_slot(connection, options)),
                   std::invalid_argument);
      EXPECT_THROW(test::run(walsender.io, alter_replication_slot(connection, change)),
                   std::invalid_argument);
      EXPECT_THROW(walsender.query("ALTER_REPLICATION_SLOT commands (FAILOVER)"),
                   protocol::ServerError);
      return;
    }
    test::run(walsender.io, create_replication_slot(connection, options));
    EXPECT_EQ(of_slot(sql, "failover"), "t");
    test::run(walsender.io, alter_replication_slot(connection, change));
    EXPECT_EQ(of_slot(sql, "failover"), "f");
    change.two_phase = true;
    if (major < 18) {
      EXPECT_THROW(test::run(walsender.io, alter_replication_slot(connection, change)),
                   std::invalid_argument);
      EXPECT_THROW(walsender.query("ALTER_REPLICATION_SLOT commands (TWO_PHASE)"),
                   protocol::ServerError);
    } else {
      test::run(walsender.io, alter_replication_slot(connection, change));
      EXPECT_EQ(of_slot(sql, "two_phase"), "t");
    }
    test::run(walsender.io, drop_replication_slot(connection, "commands", false));
  });
}

}  // namespace
}  // namespace pgcourier::replication
