#include "cdc/relation_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/protocol_error.hpp"

namespace pgcourier::cdc {
namespace {

using protocol::Lsn;
using protocol::RelationColumn;
using protocol::RelationMessage;
using protocol::ReplicaIdentity;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t int4 = 23;
constexpr std::uint32_t user_type = 70000;

// id is the flagged column, as under a primary key.
const std::vector<RelationColumn> keyed{{true, "id", int4, -1}, {false, "note", 25, -1}};
const std::vector<RelationColumn> all_flagged{{true, "id", int4, -1}, {true, "note", 25, -1}};
const std::vector<RelationColumn> with_user_type{{true, "id", int4, -1},
                                                 {false, "mood", user_type, -1}};

RelationMessage message(const std::vector<RelationColumn>& columns,
                        ReplicaIdentity identity = ReplicaIdentity::default_) {
  return {.relation_oid = 1,
          .schema = "public",
          .table = "t",
          .replica_identity = identity,
          .columns = columns};
}

class RelationCacheTest : public ::testing::Test {
 protected:
  const Relation* learn(const RelationMessage& told, const CatalogAnswer& answer = {}) {
    return cache_.receive(told, Lsn{1}) ? cache_.add(answer) : nullptr;
  }

  RelationCache cache_{TableFilter({})};
};

TEST_F(RelationCacheTest, TakesTheKeyFromTheFlagsOfTheRelation) {
  const auto* question = cache_.receive(message(keyed), Lsn{1});
  ASSERT_NE(question, nullptr);
  EXPECT_FALSE(question->primary_key);
  EXPECT_THAT(question->type_oids, IsEmpty());
  const auto* relation = cache_.add({});
  ASSERT_NE(relation, nullptr);
  EXPECT_THAT(relation->key, ElementsAre(0));
  EXPECT_EQ(&cache_.find(1), relation);
}

TEST_F(RelationCacheTest, TheSameRelationAgainIsNothingNew) {
  const auto* relation = learn(message(keyed));
  EXPECT_EQ(cache_.receive(message(keyed), Lsn{1}), nullptr);
  EXPECT_EQ(&cache_.find(1), relation);
  EXPECT_EQ(cache_.all().size(), 1U);
}

TEST_F(RelationCacheTest, AnotherShapeIsAnotherVersionAndTheOldOneStays) {
  const auto* before = learn(message(keyed));
  const std::vector<RelationColumn> wider{
      {true, "id", int4, -1}, {false, "note", 25, -1}, {false, "more", 25, -1}};
  const auto* after = learn(message(wider));
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(after->version, 1U);
  EXPECT_EQ(before->columns.size(), 2U);
  EXPECT_EQ(&cache_.find(1), after);
}

TEST_F(RelationCacheTest, ARenamedTableAnotherTypeOrAnotherIdentityIsAnotherVersion) {
  ASSERT_NE(learn(message(keyed)), nullptr);
  auto renamed = message(keyed);
  renamed.table = "t2";
  EXPECT_NE(learn(renamed), nullptr);
  const std::vector<RelationColumn> retyped{{true, "id", 20, -1}, {false, "note", 25, -1}};
  EXPECT_NE(learn(message(retyped)), nullptr);
  EXPECT_NE(learn(message(retyped, ReplicaIdentity::index)), nullptr);
}

TEST_F(RelationCacheTest, UnderFullTheCatalogIsAskedForTheKeyEachTime) {
  for (int i = 0; i < 2; ++i) {
    const auto* question = cache_.receive(message(all_flagged, ReplicaIdentity::full), Lsn{1});
    ASSERT_NE(question, nullptr);
    EXPECT_TRUE(question->primary_key);
    const auto* relation = cache_.add({.primary_key = {"id"}, .types = {}});
    EXPECT_EQ(relation != nullptr, i == 0);
  }
  EXPECT_THAT(cache_.find(1).key, ElementsAre(0));
  // A primary key that was changed since.
  const auto* changed = learn(message(all_flagged, ReplicaIdentity::full),
                              {.primary_key = {"note", "id"}, .types = {}});
  ASSERT_NE(changed, nullptr);
  EXPECT_THAT(changed->key, ElementsAre(1, 0));
}

TEST_F(RelationCacheTest, UnderNothingTheCatalogIsAskedForTheKey) {
  const std::vector<RelationColumn> unflagged{{false, "id", int4, -1}};
  const auto* question = cache_.receive(message(unflagged, ReplicaIdentity::nothing), Lsn{1});
  ASSERT_NE(question, nullptr);
  EXPECT_TRUE(question->primary_key);
}

TEST_F(RelationCacheTest, APrimaryKeyThatIsNotWhollyPublishedIsNoKey) {
  const auto* relation = learn(message(all_flagged, ReplicaIdentity::full),
                               {.primary_key = {"id", "tenant"}, .types = {}});
  ASSERT_NE(relation, nullptr);
  EXPECT_THAT(relation->key, IsEmpty());
}

TEST_F(RelationCacheTest, UnderFullWithoutAPrimaryKeyThereIsNoKey) {
  const auto* relation = learn(message(all_flagged, ReplicaIdentity::full));
  ASSERT_NE(relation, nullptr);
  EXPECT_THAT(relation->key, IsEmpty());
}

TEST_F(RelationCacheTest, AsksForTypesThatAreNotBuiltInAtEachRelation) {
  TypeDescription domain;
  domain.oid = user_type;
  domain.kind = 'd';
  domain.base_oid = int4;
  for (int i = 0; i < 2; ++i) {
    const auto* question = cache_.receive(message(with_user_type), Lsn{1});
    ASSERT_NE(question, nullptr);
    EXPECT_THAT(question->type_oids, ElementsAre(user_type));
    const auto* relation = cache_.add({.primary_key = {}, .types = {domain}});
    EXPECT_EQ(relation != nullptr, i == 0);
  }
  EXPECT_EQ(cache_.find(1).columns[1].type->form, TypeForm::integer);
}

// addr (first, second) as it is in a catalog where `altered_by` touched it last.
CatalogAnswer addr(const std::string& first, const std::string& second, std::uint32_t altered_by,
                   Lsn wal_position = {}) {
  TypeDescription type;
  type.oid = user_type;
  type.kind = 'c';
  type.attributes = {{first, 25}, {second, 25}};
  return {.primary_key = {},
          .types = {type},
          .composites = {{user_type, first + second, altered_by}},
          .wal_position = wal_position};
}

TEST_F(RelationCacheTest, OneLookAtCompositesServesAllRowsUpToWhereTheServerWroteThen) {
  const auto* relation = learn(message(with_user_type), addr("street", "city", 0, Lsn{50}));
  ASSERT_NE(relation, nullptr);
  EXPECT_EQ(cache_.check(*relation, Lsn{1}), nullptr);
  const auto* question = cache_.check(*relation, Lsn{2});
  ASSERT_NE(question, nullptr);
  EXPECT_THAT(question->composites, ElementsAre(user_type));
  EXPECT_THAT(question->type_oids, IsEmpty());
  EXPECT_EQ(cache_.add(addr("street", "city", 0, Lsn{90})), nullptr);
  EXPECT_EQ(cache_.check(*relation, Lsn{50}), nullptr);
  // What the last look told it wrote may have been written after what it saw.
  EXPECT_NE(cache_.check(*relation, Lsn{51}), nullptr);
  EXPECT_EQ(cache_.add(addr("street", "city", 0, Lsn{99})), nullptr);
  EXPECT_EQ(cache_.check(*relation, Lsn{90}), nullptr);
}

TEST_F(RelationCacheTest, ACompositeThatWasAlteredWithoutARelationIsDescribedAgain) {
  const auto* before = learn(message(with_user_type), addr("street", "city", 0));
  ASSERT_NE(before, nullptr);
  EXPECT_EQ(before->composites_altered_by, 0U);
  ASSERT_NE(cache_.check(*before, Lsn{2}), nullptr);
  EXPECT_EQ(cache_.add(addr("city", "zip", 700)), nullptr);
  const auto* question = cache_.check(*before, Lsn{2});
  ASSERT_NE(question, nullptr);
  EXPECT_THAT(question->type_oids, ElementsAre(user_type));
  const auto* after = cache_.add(addr("city", "zip", 700));
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(&cache_.find(1), after);
  EXPECT_EQ(after->columns[1].type->fields[1].name, "zip");
  EXPECT_EQ(after->composites_altered_by, 700U);
  EXPECT_EQ(before->columns[1].type->fields[1].name, "city");
  EXPECT_EQ(cache_.check(*after, Lsn{2}), nullptr);
}

TEST_F(RelationCacheTest, ARelationThatComesAgainBringsItsTypesUpToDate) {
  ASSERT_NE(learn(message(with_user_type), addr("street", "city", 0)), nullptr);
  EXPECT_EQ(learn(message(with_user_type), addr("street", "city", 0)), nullptr);
  const auto* after = learn(message(with_user_type), addr("city", "zip", 700));
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(after->columns[1].type->fields[0].name, "city");
}

TEST_F(RelationCacheTest, TheYoungestAlterationCountsAlsoWhenTransactionIdsStartAnew) {
  CatalogAnswer answer = addr("street", "city", 0xFFFFFFF0);
  answer.composites.push_back({user_type + 1, "", 5});
  answer.composites.push_back({user_type + 2, "", 0});
  const auto* relation = learn(message(with_user_type), answer);
  ASSERT_NE(relation, nullptr);
  EXPECT_EQ(relation->composites_altered_by, 5U);
}

TEST_F(RelationCacheTest, ATypeThatWasDroppedSinceIsText) {
  const auto* relation = learn(message(with_user_type));
  ASSERT_NE(relation, nullptr);
  EXPECT_EQ(relation->columns[1].type->form, TypeForm::text);
}

TEST_F(RelationCacheTest, MarksWhatTheFilterLeavesOut) {
  RelationCache cache{TableFilter({"public.u*"})};
  ASSERT_NE(cache.receive(message(keyed), Lsn{1}), nullptr);
  EXPECT_TRUE(cache.add({})->filtered_out);
  auto other = message(keyed);
  other.relation_oid = 2;
  other.table = "users";
  ASSERT_NE(cache.receive(other, Lsn{1}), nullptr);
  EXPECT_FALSE(cache.add({})->filtered_out);
}

TEST_F(RelationCacheTest, AnEmptySchemaIsTheCatalogs) {
  auto told = message(keyed);
  told.schema = "";
  ASSERT_NE(cache_.receive(told, Lsn{1}), nullptr);
  EXPECT_EQ(cache_.add({})->schema, "pg_catalog");
}

TEST_F(RelationCacheTest, CountsWhatItKeeps) {
  const std::string long_name(1000, 'n');
  const std::vector<RelationColumn> wide(1600, {false, long_name, 25, -1});
  const auto empty = cache_.memory_bytes();
  learn(message(wide));
  const auto one = cache_.memory_bytes();
  EXPECT_GT(one - empty, 1600 * (long_name.size() + sizeof(Column)));
  EXPECT_LT(one - empty, 2 * 1600 * (long_name.size() + sizeof(Column)));
  EXPECT_EQ(learn(message(wide)), nullptr);
  EXPECT_EQ(cache_.memory_bytes(), one);
  learn(message(keyed));
  EXPECT_GT(cache_.memory_bytes(), one) << "rows of the former shape may still come";
}

TEST_F(RelationCacheTest, CountsTypes) {
  CatalogAnswer answer;
  answer.types.push_back({.oid = user_type, .name = "pair", .kind = 'c'});
  answer.types[0].attributes = {{std::string(1000, 'a'), int4}};
  const auto empty = cache_.memory_bytes();
  learn(message(with_user_type), answer);
  const auto one = cache_.memory_bytes();
  EXPECT_GT(one - empty, 2000U);
  learn(message(with_user_type), answer);
  EXPECT_EQ(cache_.memory_bytes(), one);
}

TEST_F(RelationCacheTest, StreamedTransactionsThatDescribeATableAgainLeaveNothing) {
  learn(message(keyed));
  const auto before = cache_.memory_bytes();
  for (std::uint32_t piece = 1; piece < 100; ++piece) {
    cache_.begin_piece(piece);
    cache_.begin_replay();
    cache_.replay_piece(piece);
    EXPECT_EQ(cache_.receive(message(keyed), Lsn{piece}), nullptr);
    cache_.end_replay();
  }
  EXPECT_EQ(cache_.memory_bytes(), before);
}

TEST_F(RelationCacheTest, ARelationThatWasNeverDescribedBreaksTheProtocol) {
  EXPECT_THROW(cache_.find(4711), protocol::ProtocolError);
}

}  // namespace
}  // namespace pgcourier::cdc
