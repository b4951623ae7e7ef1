#include "protocol/replication_results.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

using Row = std::vector<std::optional<ByteView>>;
constexpr auto null = std::nullopt;

// `read` takes `row`, and neither a column less nor one more.
template <typename Read>
void expect_columns(const Row& row, Read read) {
  EXPECT_NO_THROW(read(row));
  for (std::size_t count = 0; count < row.size(); ++count) {
    EXPECT_THROW(read(ResultValues(row).first(count)), ProtocolError) << count;
  }
  Row longer = row;
  longer.emplace_back("x");
  EXPECT_THROW(read(longer), ProtocolError);
}

// `read` refuses `row` with column `column` being any of `values`.
template <typename Read>
void expect_refused(const Row& row, std::size_t column, const Row& values, Read read) {
  for (const auto& value : values) {
    Row changed = row;
    changed[column] = value;
    EXPECT_THROW(read(changed), ProtocolError) << column << ": " << value.value_or("NULL");
  }
}

const Row not_positive = {null, "", "0", "-1", "x", "1 ", "4294967296"};
const Row no_positions = {null, "", "0", "0/", "x/1", "0/1 "};

TEST(SystemIdentity, HasADatabaseUnlessPhysical) {
  const Row row = {"7301234567890123456", "4294967295", "16/B374D848", "shop"};
  const auto identity = read_system_identity(row);
  EXPECT_EQ(identity.system_identifier, "7301234567890123456");
  EXPECT_EQ(identity.timeline, 4294967295U);
  EXPECT_EQ(identity.xlogpos, (Lsn{0x16B374D848}));
  EXPECT_EQ(identity.database, "shop");
  EXPECT_EQ(read_system_identity(Row{"7", "1", "0/1", null}).database, std::nullopt);
  expect_columns(row, read_system_identity);
  expect_refused(row, 0, {null, ""}, read_system_identity);
  expect_refused(row, 1, not_positive, read_system_identity);
  expect_refused(row, 2, no_positions, read_system_identity);
}

TEST(ShownValue, MayBeEmptyButNotNull) {
  EXPECT_EQ(read_shown_value(Row{"16MB"}), "16MB");
  EXPECT_EQ(read_shown_value(Row{""}), "");
  expect_columns({"16MB"}, read_shown_value);
  expect_refused({"16MB"}, 0, {null}, read_shown_value);
}

TEST(TimelineHistoryFile, IsRawBytes) {
  const Row row = {"00000002.history", ByteView("1\t0/3000158\t\xff\0reason\n", 19)};
  const auto file = read_timeline_history_file(row);
  EXPECT_EQ(file.filename, "00000002.history");
  EXPECT_EQ(file.content, *row[1]);
  expect_columns(row, read_timeline_history_file);
  expect_refused(row, 0, {null}, read_timeline_history_file);
  expect_refused(row, 1, {null}, read_timeline_history_file);
}

TEST(CreatedSlot, TellsItsSnapshotAndPluginIfItHasThem) {
  const Row logical = {"s", "0/3000158", "00000003-00000002-1", "pgoutput"};
  const auto slot = read_created_slot(logical);
  EXPECT_EQ(slot.slot, "s");
  EXPECT_EQ(slot.consistent_point, (Lsn{0x3000158}));
  EXPECT_EQ(slot.snapshot, "00000003-00000002-1");
  EXPECT_EQ(slot.output_plugin, "pgoutput");
  const auto physical = read_created_slot(Row{"s", "0/0", null, null});
  EXPECT_EQ(physical.consistent_point, Lsn{});
  EXPECT_FALSE(physical.snapshot || physical.output_plugin);
  expect_columns(logical, read_created_slot);
  expect_refused(logical, 0, {null}, read_created_slot);
  expect_refused(logical, 1, no_positions, read_created_slot);
}

TEST(PhysicalSlot, MayBeMissingOrReserveNothing) {
  const Row row = {"physical", "0/3000000", "2"};
  const auto slot = read_physical_slot(row);
  ASSERT_TRUE(slot);
  EXPECT_EQ(slot->restart_lsn, (Lsn{0x3000000}));
  EXPECT_EQ(slot->restart_timeline, 2U);
  EXPECT_FALSE(read_physical_slot(Row{null, null, null}));
  const auto unreserved = read_physical_slot(Row{"physical", null, null});
  ASSERT_TRUE(unreserved);
  EXPECT_FALSE(unreserved->restart_lsn);
  expect_columns(row, read_physical_slot);
  expect_refused(row, 0, {"logical", ""}, read_physical_slot);
  expect_refused(row, 1, {"", "x"}, read_physical_slot);
  expect_refused(row, 2, {"", "x", "-1"}, read_physical_slot);
}

TEST(TimelinePosition, HasItsColumnsInAnOrderOfTheCommandsOwn) {
  const TimelinePosition expected{.lsn = {0x2000028}, .timeline = 3};
  EXPECT_EQ(read_backup_position(Row{"0/2000028", "3"}), expected);
  EXPECT_EQ(read_next_timeline(Row{"3", "0/2000028"}), expected);
  expect_columns({"0/2000028", "3"}, read_backup_position);
  expect_columns({"3", "0/2000028"}, read_next_timeline);
  expect_refused({"0/2000028", "3"}, 0, no_positions, read_backup_position);
  expect_refused({"0/2000028", "3"}, 1, not_positive, read_backup_position);
  expect_refused({"3", "0/2000028"}, 0, not_positive, read_next_timeline);
  expect_refused({"3", "0/2000028"}, 1, no_positions, read_next_timeline);
}

TEST(BackupTablespace, OfTheDataDirectoryHasNoOid) {
  const Row row = {"16384", "/srv/fast", "2048"};
  const auto tablespace = read_backup_tablespace(row);
  EXPECT_EQ(tablespace.oid, 16384U);
  EXPECT_EQ(tablespace.location, "/srv/fast");
  EXPECT_EQ(tablespace.size_kib, 2048U);
  const auto base = read_backup_tablespace(Row{null, null, null});
  EXPECT_EQ(base.oid, 0U);
  EXPECT_EQ(base.location, "");
  EXPECT_FALSE(base.size_kib);
  expect_columns(row, read_backup_tablespace);
  expect_refused(row, 0, {null, "", "x", "-1"}, read_backup_tablespace);
  expect_refused(row, 1, {null, ""}, read_backup_tablespace);
  expect_refused(row, 2, {"", "x", "-1"}, read_backup_tablespace);
}

RC_GTEST_PROP(TimelinePosition, ComesBack, (std::uint64_t lsn, std::uint32_t timeline)) {
  RC_PRE(timeline != 0);
  const std::string position = to_string(Lsn{lsn});
  const std::string number = std::to_string(timeline);
  const TimelinePosition expected{.lsn = {lsn}, .timeline = timeline};
  RC_ASSERT(read_backup_position(Row{position, number}) == expected);
  RC_ASSERT(read_next_timeline(Row{number, position}) == expected);
}

}  // namespace
}  // namespace pgcourier::protocol
