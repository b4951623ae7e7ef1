// The catalog queries.
#include <gmock/gmock.h>

#include <algorithm>

#include "replication/catalog.hpp"
#include "tests/replication/live_major.hpp"

namespace pgcourier::replication {
namespace {

using test::run;
using test::Session;
using testing::ElementsAre;
using testing::IsEmpty;

// In a schema of its own, dropped before and after.
class LiveCatalog : public test::OnEachMajor {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    if (IsSkipped()) return;
    session_.emplace(target());
    drop();
    session_->query("CREATE SCHEMA catalog_test");
  }
  void TearDown() override {
    if (!IsSkipped()) drop();
  }
  void drop() {
    session_->query("DROP PUBLICATION IF EXISTS catalog_test");
    session_->query("DROP SCHEMA IF EXISTS catalog_test CASCADE");
    session_->query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
        "WHERE slot_name = 'catalog_test'");
  }
  std::uint32_t oid(const std::string& sql) {
    return static_cast<std::uint32_t>(std::stoul(session_->value("SELECT " + sql + "::oid")));
  }
  std::vector<TypeInfo> describe(std::vector<std::uint32_t> oids) {
    return run(session_->io, describe_types(session_->connection, oids));
  }
  std::optional<Session> session_;
};
INSTANTIATE_TEST_SUITE_P(Each, LiveCatalog, LiveCatalog::each(), LiveCatalog::name);

const TypeInfo& named(const std::vector<TypeInfo>& types, const std::string& name) {
  return *std::find_if(types.begin(), types.end(),
                       [&name](const TypeInfo& type) { return type.name == name; });
}

TEST_P(LiveCatalog, FindsSlots) {
  Connection& connection = session_->connection;
  EXPECT_EQ(run(session_->io, find_slot(connection, "catalog_test")), std::nullopt);
  session_->query("SELECT pg_create_logical_replication_slot('catalog_test', 'pgoutput')");
  const auto slot = run(session_->io, find_slot(connection, "catalog_test"));
  ASSERT_TRUE(slot);
  EXPECT_EQ(slot->plugin, "pgoutput");
  EXPECT_EQ(slot->slot_type, "logical");
  EXPECT_EQ(slot->database, "postgres");
  EXPECT_EQ(slot->wal_status, "reserved");
  EXPECT_FALSE(slot->active || slot->temporary || slot->two_phase || slot->active_pid);
  EXPECT_GT(slot->confirmed_flush_lsn.value(), protocol::Lsn{});
  EXPECT_LE(slot->restart_lsn.value(), slot->confirmed_flush_lsn.value());
  EXPECT_EQ(run(session_->io, list_slots(connection)).size(), 1U);
}

TEST_P(LiveCatalog, FindsBackends) {
  Connection& connection = session_->connection;
  const auto self = run(session_->io, find_backend(connection, connection.server().process_id));
  ASSERT_TRUE(self);
  EXPECT_EQ(self->application_name, "live tests");
  EXPECT_EQ(self->backend_type, "client backend");
  EXPECT_EQ(self->client, "127.0.0.1");
  EXPECT_FALSE(run(session_->io, find_backend(connection, 1)));
}

TEST_P(LiveCatalog, DescribesAPublicationAndItsTables) {
  session_->query(R"(
    CREATE TABLE catalog_test.plain (a int, b int, c int, PRIMARY KEY (b, a) INCLUDE (c));
    CREATE TABLE catalog_test."Quo""ted" (a int NOT NULL);
    CREATE UNIQUE INDEX i ON catalog_test."Quo""ted" (a);
    ALTER TABLE catalog_test."Quo""ted" REPLICA IDENTITY USING INDEX i;
    DROP INDEX catalog_test.i;
    CREATE PUBLICATION catalog_test FOR TABLE catalog_test.plain, catalog_test."Quo""ted"
      WITH (publish = 'insert,delete', publish_via_partition_root = true))");
  Connection& connection = session_->connection;
  EXPECT_FALSE(run(session_->io, find_publication(connection, "none")));
  const auto publication = run(session_->io, find_publication(connection, "catalog_test"));
  ASSERT_TRUE(publication);
  EXPECT_TRUE(publication->inserts && publication->deletes && publication->via_partition_root);
  EXPECT_FALSE(publication->updates || publication->truncates || publication->all_tables);

  EXPECT_FALSE(run(session_->io, find_publication_with_tables(connection, "none")));
  const auto both = run(session_->io, find_publication_with_tables(connection, "catalog_test"));
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->info.inserts);
  const auto& tables = both->tables;
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0].table, "Quo\"ted");
  EXPECT_EQ(tables[0].replica_identity, 'i');
  EXPECT_TRUE(tables[0].identity_index_missing);
  EXPECT_FALSE(tables[0].has_primary_key);
  EXPECT_EQ(tables[1].schema, "catalog_test");
  EXPECT_EQ(tables[1].replica_identity, 'd');
  EXPECT_TRUE(tables[1].has_primary_key);
  EXPECT_THAT(run(session_->io, primary_key(connection, tables[1].oid)), ElementsAre("b", "a"));
  EXPECT_THAT(run(session_->io, primary_key(connection, tables[0].oid)), IsEmpty());
}

TEST_P(LiveCatalog, DescribesTypesAndWhatTheyAreMadeOf) {
  session_->query(R"(
    CREATE DOMAIN catalog_test.names AS text[];
    CREATE TYPE catalog_test.mood AS ENUM ('ok');
    CREATE TYPE catalog_test.pair AS (first catalog_test.names, dropped int, second catalog_test.mood);
    ALTER TYPE catalog_test.pair DROP ATTRIBUTE dropped)");
  const auto types = describe({oid("'catalog_test.pair[]'::regtype"), 999'999'999});
  EXPECT_EQ(types.size(), 6U);
  EXPECT_EQ(named(types, "_pair").element_oid, named(types, "pair").oid);
  const TypeInfo& pair = named(types, "pair");
  EXPECT_EQ(pair.kind, 'c');
  ASSERT_EQ(pair.attributes.size(), 2U);
  EXPECT_EQ(pair.attributes[0].name, "first");
  EXPECT_EQ(pair.attributes[1].type_oid, named(types, "mood").oid);
  EXPECT_EQ(named(types, "mood").kind, 'e');
  EXPECT_EQ(named(types, "names").kind, 'd');
  EXPECT_EQ(named(types, "names").base_oid, named(types, "_text").oid);
  EXPECT_EQ(named(types, "_text").element_oid, 25U);
}

TEST_P(LiveCatalog, KnowsTrueArraysAndTheirDelimiters) {
  const auto types = describe({oid("'box[]'::regtype"), oid("'int2vector'::regtype")});
  EXPECT_EQ(named(types, "_box").delimiter, ';');
  EXPECT_EQ(named(types, "int2vector").element_oid, 0U);
  EXPECT_THAT(describe({}), IsEmpty());
}

}  // namespace
}  // namespace pgcourier::replication
