#include "sinks/encoding/native_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "cdc/encoding_error.hpp"
#include "sinks/encoding/make_encoder.hpp"
#include "tests/sinks/encoding/samples.hpp"

namespace pgcourier::sinks::encoding {
namespace {

using cdc::ChangeEvent;
using cdc::Operation;
using cdc::Routing;
using protocol::Lsn;
using tests::null;
using tests::text;
using tests::unchanged;
using tests::Values;

constexpr Lsn change_lsn{0x16B3748};
constexpr Lsn commit_lsn{0x16B3800};
constexpr Lsn end_lsn{0x16B3830};
// 2026-11-22T10:00:00.123456Z
constexpr protocol::PgTime commit_time = protocol::from_unix_microseconds(1'795'341'600'123'456);

// What follows the rows in every event of these tests that is not the last.
constexpr std::string_view tail =
    R"(,"lsn":"0/16B3748","commit_lsn":"0/16B3800","seq":3,"xid":747,)"
    R"("commit_ts":"2026-11-22T10:00:00.123456Z"})";
constexpr std::string_view last_tail =
    R"(,"lsn":"0/16B3748","commit_lsn":"0/16B3800","seq":3,"last":true,"end_lsn":"0/16B3830",)"
    R"("xid":747,"commit_ts":"2026-11-22T10:00:00.123456Z"})";

std::string with_tail(std::string_view head) { return std::string(head) + std::string(tail); }
std::string with_last_tail(std::string_view head) {
  return std::string(head) + std::string(last_tail);
}

class NativeJsonTest : public testing::Test {
 protected:
  NativeJsonTest() {
    orders_.schema = "public";
    orders_.table = "orders";
    orders_.columns = {tests::column("id", tests::int8_oid, true),
                       tests::column("total", tests::numeric_oid),
                       tests::column("note", tests::text_oid)};
    orders_.key = {0};
    encoder_.begin({commit_lsn, commit_time, 747, {}});
  }

  ChangeEvent event(Operation operation, const cdc::Relation& relation) const {
    ChangeEvent event;
    event.operation = operation;
    event.relation = &relation;
    event.lsn = change_lsn;
    event.seq = 3;
    return event;
  }
  ChangeEvent insert(const Values& after) const {
    ChangeEvent made = event(Operation::insert, orders_);
    made.after = after;
    return made;
  }
  ChangeEvent update(const Values& before, const Values& after, bool key_only = false) const {
    ChangeEvent made = event(Operation::update, orders_);
    made.before = before;
    made.before_is_key_only = key_only;
    made.after = after;
    return made;
  }
  ChangeEvent delete_(const Values& before, bool key_only) const {
    ChangeEvent made = event(Operation::delete_, orders_);
    made.before = before;
    made.before_is_key_only = key_only;
    return made;
  }

  const cdc::EncodedEvent& encode(const ChangeEvent& made, std::optional<Lsn> end = {}) {
    encoder_.encode(made);
    return encoder_.finish(end);
  }
  std::string value(const ChangeEvent& made, std::optional<Lsn> end = {}) {
    return std::string(encode(made, end).record.value);
  }
  std::string error(const ChangeEvent& made) {
    try {
      encoder_.encode(made);
    } catch (const cdc::EncodingError& thrown) {
      return thrown.what();
    }
    return "no error";
  }

  cdc::Relation orders_;
  NativeJson encoder_;
};

TEST_F(NativeJsonTest, AnInsertHasTheNewRow) {
  const Values row{text("7"), text("12.50"), null()};
  const cdc::Record& record = encode(insert(row)).record;
  EXPECT_EQ(record.value,
            with_tail(R"({"op":"insert","schema":"public","table":"orders","key":{"id":7},)"
                      R"("after":{"id":7,"total":"12.50","note":null})"));
  EXPECT_EQ(record.key, R"({"id":7})");
  EXPECT_EQ(record.routing, Routing::by_key);
  EXPECT_EQ(record.relation, &orders_);
  EXPECT_EQ(record.commit_time, commit_time);
  EXPECT_TRUE(record.has_commit_time);
}

TEST_F(NativeJsonTest, TheLastEventOfATransactionSaysSo) {
  const Values row{text("7"), text("12.50"), text("")};
  EXPECT_EQ(value(insert(row), end_lsn),
            with_last_tail(R"({"op":"insert","schema":"public","table":"orders","key":{"id":7},)"
                           R"("after":{"id":7,"total":"12.50","note":""})"));
}

TEST_F(NativeJsonTest, AnUpdateWithoutAnOldRowHasNoBefore) {
  const Values row{text("7"), text("13"), text("x")};
  EXPECT_EQ(value(update({}, row)),
            with_tail(R"({"op":"update","schema":"public","table":"orders","key":{"id":7},)"
                      R"("after":{"id":7,"total":"13","note":"x"})"));
}

TEST_F(NativeJsonTest, AnUpdateUnderFullHasBothRows) {
  const Values before{text("7"), text("12"), text("x")};
  const Values after{text("7"), text("13"), text("x")};
  EXPECT_EQ(value(update(before, after)),
            with_tail(R"({"op":"update","schema":"public","table":"orders","key":{"id":7},)"
                      R"("before":{"id":7,"total":"12","note":"x"},)"
                      R"("after":{"id":7,"total":"13","note":"x"})"));
}

TEST_F(NativeJsonTest, ADeleteByKeyHasOnlyTheColumnsOfTheReplicaIdentity) {
  const Values before{text("7"), null(), null()};
  EXPECT_EQ(value(delete_(before, true)),
            with_tail(R"({"op":"delete","schema":"public","table":"orders","key":{"id":7},)"
                      R"("before":{"id":7})"));
}

TEST_F(NativeJsonTest, ADeleteUnderFullHasTheWholeOldRow) {
  const Values before{text("7"), null(), text("x")};
  EXPECT_EQ(value(delete_(before, false)),
            with_tail(R"({"op":"delete","schema":"public","table":"orders","key":{"id":7},)"
                      R"("before":{"id":7,"total":null,"note":"x"})"));
}

TEST_F(NativeJsonTest, AToastValueThatWasNotSentIsListedAsUnchanged) {
  const Values after{text("7"), unchanged(), unchanged()};
  EXPECT_EQ(value(update({}, after)),
            with_tail(R"({"op":"update","schema":"public","table":"orders","key":{"id":7},)"
                      R"("after":{"id":7},"unchanged":["total","note"])"));
}

TEST_F(NativeJsonTest, AToastValueThatWasNotSentIsTakenFromTheOldRow) {
  const Values before{text("7"), text("12"), text("long")};
  const Values after{text("7"), text("13"), unchanged()};
  EXPECT_EQ(value(update(before, after)),
            with_tail(R"({"op":"update","schema":"public","table":"orders","key":{"id":7},)"
                      R"("before":{"id":7,"total":"12","note":"long"},)"
                      R"("after":{"id":7,"total":"13","note":"long"})"));
}

TEST_F(NativeJsonTest, AKeyInToastIsTakenFromTheOldKey) {
  orders_.columns = {tests::column("id", tests::text_oid, true),
                     tests::column("total", tests::numeric_oid),
                     tests::column("note", tests::text_oid)};
  const Values before{text("long key"), null(), null()};
  const Values after{unchanged(), text("13"), unchanged()};
  EXPECT_EQ(value(update(before, after, true)),
            with_tail(R"({"op":"update","schema":"public","table":"orders",)"
                      R"("key":{"id":"long key"},"before":{"id":"long key"},)"
                      R"("after":{"id":"long key","total":"13"},"unchanged":["note"])"));
}

TEST_F(NativeJsonTest, AKeyThatWasNotSentIsAnError) {
  const Values after{unchanged(), text("13"), text("x")};
  EXPECT_EQ(error(update({}, after)),
            "public.orders.id (integer): the server did not send this column of the key");
}

TEST_F(NativeJsonTest, TheKeyIsInTheOrderOfTheKey) {
  orders_.key = {2, 0};
  const Values row{text("7"), text("12"), text("a \"b\"")};
  const cdc::Record& record = encode(insert(row)).record;
  EXPECT_EQ(record.key, R"({"note":"a \"b\"","id":7})");
  EXPECT_THAT(std::string(record.value),
              testing::HasSubstr(R"("table":"orders","key":{"note":"a \"b\"","id":7},"after":{)"));
}

TEST_F(NativeJsonTest, WithoutAKeyThereIsNoneAndTheTableDecides) {
  orders_.key = {};
  const Values row{text("7"), text("12"), null()};
  const cdc::Record& record = encode(insert(row)).record;
  EXPECT_EQ(record.value, with_tail(R"({"op":"insert","schema":"public","table":"orders",)"
                                    R"("after":{"id":7,"total":"12","note":null})"));
  EXPECT_EQ(record.key, "");
  EXPECT_EQ(record.routing, Routing::by_table);
}

TEST_F(NativeJsonTest, AChangeOfKeyIsARemovalAndAnInsertionAsWell) {
  const Values before{text("7"), null(), null()};
  const Values after{text("8"), text("13"), unchanged()};
  ChangeEvent changed = update(before, after, true);
  changed.key_changed = true;
  const cdc::EncodedEvent& encoded = encode(changed, end_lsn);
  EXPECT_TRUE(encoded.key_changed);
  EXPECT_EQ(encoded.record.value,
            with_last_tail(R"({"op":"update","schema":"public","table":"orders","key":{"id":8},)"
                           R"("before":{"id":7},"after":{"id":8,"total":"13"},)"
                           R"("unchanged":["note"])"));
  EXPECT_EQ(encoded.removal.value,
            with_tail(R"({"op":"delete","schema":"public","table":"orders","key":{"id":7},)"
                      R"("before":{"id":7})"));
  EXPECT_EQ(encoded.removal.key, R"({"id":7})");
  EXPECT_EQ(encoded.insertion.value,
            with_last_tail(R"({"op":"insert","schema":"public","table":"orders","key":{"id":8},)"
                           R"("after":{"id":8,"total":"13"},"unchanged":["note"])"));
  EXPECT_EQ(encoded.insertion.key, R"({"id":8})");
  for (const cdc::Record* record : {&encoded.removal, &encoded.insertion}) {
    EXPECT_EQ(record->routing, Routing::by_key);
    EXPECT_EQ(record->relation, &orders_);
    EXPECT_EQ(record->commit_time, commit_time);
    EXPECT_TRUE(record->has_commit_time);
  }
}

TEST_F(NativeJsonTest, TheEventAfterAChangeOfKeyIsOneRecordAgain) {
  const Values before{text("7"), null(), null()};
  const Values after{text("8"), text("13"), null()};
  ChangeEvent changed = update(before, after, true);
  changed.key_changed = true;
  encode(changed);
  EXPECT_FALSE(encode(update({}, after)).key_changed);
}

TEST_F(NativeJsonTest, ATruncateGoesToEveryPartition) {
  ChangeEvent truncate = event(Operation::truncate, orders_);
  truncate.cascade = true;
  const cdc::Record& record = encode(truncate).record;
  EXPECT_EQ(record.value, with_tail(R"({"op":"truncate","schema":"public","table":"orders",)"
                                    R"("cascade":true,"restart_identity":false)"));
  EXPECT_EQ(record.routing, Routing::every_partition);
  EXPECT_EQ(record.key, "");
  EXPECT_EQ(record.relation, &orders_);
}

TEST_F(NativeJsonTest, ATransactionalMessageIsLikeAnyEvent) {
  ChangeEvent message;
  message.operation = Operation::message;
  message.lsn = change_lsn;
  message.seq = 3;
  message.prefix = "app\n";
  message.content = std::string_view("\0\xFFhi", 4);
  const cdc::Record& record = encode(message, end_lsn).record;
  EXPECT_EQ(record.value, with_last_tail(R"({"op":"message","prefix":"app\n","content":"AP9oaQ==",)"
                                         R"("transactional":true)"));
  EXPECT_EQ(record.key, "app\n");
  EXPECT_EQ(record.routing, Routing::logical_message);
  EXPECT_EQ(record.relation, nullptr);
  EXPECT_TRUE(record.has_commit_time);
}

TEST_F(NativeJsonTest, ANonTransactionalMessageStandsAlone) {
  NativeJson encoder;
  ChangeEvent message;
  message.operation = Operation::message;
  message.transactional = false;
  message.lsn = change_lsn;
  message.prefix = "app";
  encoder.encode(message);
  const cdc::Record& record = encoder.finish({}).record;
  EXPECT_EQ(record.value, R"({"op":"message","prefix":"app","content":"","transactional":false,)"
                          R"("lsn":"0/16B3748","commit_lsn":"0/16B3748"})");
  EXPECT_EQ(record.key, "app");
  EXPECT_FALSE(record.has_commit_time);
}

TEST_F(NativeJsonTest, TheOriginStandsWhereTheServerSentOne) {
  encoder_.begin({commit_lsn, commit_time, 747, "other \"side\""});
  const Values row{text("7"), text("12"), null()};
  EXPECT_TRUE(
      value(insert(row))
          .ends_with(R"("commit_ts":"2026-11-22T10:00:00.123456Z","origin":"other \"side\""})"));
  encoder_.begin({commit_lsn, commit_time, 748, {}});
  EXPECT_TRUE(
      value(insert(row)).ends_with(R"("xid":748,"commit_ts":"2026-11-22T10:00:00.123456Z"})"));
}

TEST_F(NativeJsonTest, WhatBecameOfAPreparedTransactionHasItsGidAsKey) {
  encoder_.begin({commit_lsn, commit_time, 747, {}, "order \"7\""});
  const Values row{text("7"), text("12"), null()};
  EXPECT_TRUE(value(insert(row))
                  .ends_with(R"("commit_ts":"2026-11-22T10:00:00.123456Z","gid":"order \"7\""})"));
  const std::pair<Operation, std::string> outcomes[] = {
      {Operation::prepare, "prepare"},
      {Operation::commit_prepared, "commit_prepared"},
      {Operation::rollback_prepared, "rollback_prepared"}};
  for (const auto& [operation, name] : outcomes) {
    ChangeEvent outcome;
    outcome.operation = operation;
    outcome.lsn = commit_lsn;
    outcome.seq = 1;
    const cdc::Record& record = encode(outcome, end_lsn).record;
    EXPECT_EQ(record.value, "{\"op\":\"" + name +
                                R"(","lsn":"0/16B3800","commit_lsn":"0/16B3800","seq":1,)"
                                R"("last":true,"end_lsn":"0/16B3830","xid":747,)"
                                R"("commit_ts":"2026-11-22T10:00:00.123456Z",)"
                                R"("gid":"order \"7\""})");
    EXPECT_EQ(record.key, "order \"7\"");
    EXPECT_EQ(record.routing, Routing::outcome);
    EXPECT_EQ(record.relation, nullptr);
    EXPECT_TRUE(record.has_commit_time);
  }
}

TEST_F(NativeJsonTest, NamesAreEscaped) {
  orders_.schema = "my \"schema\"";
  orders_.table = "Größe\\";
  orders_.columns = {tests::column("a\nb", tests::bool_oid, true)};
  const Values row{text("t")};
  EXPECT_EQ(value(insert(row)),
            with_tail(R"({"op":"insert","schema":"my \"schema\"","table":"Größe\\",)"
                      R"("key":{"a\nb":true},"after":{"a\nb":true})"));
}

TEST_F(NativeJsonTest, EachVersionOfATableHasItsOwnColumns) {
  cdc::Relation altered = orders_;
  altered.version = 5;
  altered.columns.pop_back();
  const Values three{text("7"), text("12"), null()};
  const Values two{text("7"), text("12")};
  value(insert(three));
  ChangeEvent made = event(Operation::insert, altered);
  made.after = two;
  EXPECT_EQ(value(made),
            with_tail(R"({"op":"insert","schema":"public","table":"orders","key":{"id":7},)"
                      R"("after":{"id":7,"total":"12"})"));
  EXPECT_THAT(value(insert(three)), testing::HasSubstr(R"("after":{"id":7,"total":"12","note")"));
}

TEST_F(NativeJsonTest, ARowOfAnotherWidthIsAnErrorThatNamesTheServersFault) {
  const Values row{text("7"), text("12")};
  EXPECT_EQ(error(insert(row)),
            "public.orders: the row has 2 columns, its relation 3: PostgreSQL 15.0 and 15.1 send "
            "the wrong tuple width with column lists; update the server or take the column list "
            "off the publication");
  EXPECT_THAT(error(delete_(row, true)), testing::HasSubstr("the row has 2 columns"));
  EXPECT_THAT(error(delete_({}, true)), testing::HasSubstr("the row has 0 columns"));
  EXPECT_THAT(error(update(row, {text("7"), text("12"), null()})),
              testing::HasSubstr("the row has 2 columns"));
}

TEST_F(NativeJsonTest, AValueThatDefiesItsTypeIsAnErrorAndTheEncoderGoesOn) {
  const Values bad{text("seven"), text("12"), null()};
  EXPECT_EQ(error(insert(bad)), "public.orders.id (integer): not a number");
  const Values good{text("7"), text("12"), null()};
  EXPECT_TRUE(value(insert(good)).starts_with(R"({"op":"insert",)"));
}

TEST_F(NativeJsonTest, ABinaryValueIsAnError) {
  const Values row{{protocol::ValueKind::binary, "\1"}, text("12"), null()};
  EXPECT_EQ(error(insert(row)),
            "public.orders.id (integer): sent in binary, which was not asked for");
}

TEST_F(NativeJsonTest, IsTheFormatOfTheSetting) {
  const auto encoder = make_encoder(config::Format::native);
  encoder->begin({commit_lsn, commit_time, 747, {}});
  const Values row{text("7"), text("12"), null()};
  encoder->encode(insert(row));
  EXPECT_EQ(encoder->finish({}).record.value, value(insert(row)));
}

}  // namespace
}  // namespace pgcourier::sinks::encoding
