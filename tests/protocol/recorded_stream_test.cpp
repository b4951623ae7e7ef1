// Whole replication streams of real servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/protocol_error.hpp"
#include "tests/protocol/pgoutput_script.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using tests::script_of;

// Streams of the major that is the parameter.
class RecordedStream : public testing::TestWithParam<int> {
 protected:
  static std::string of_major(std::string_view name) { return tests::of_major(name, GetParam()); }
};

// TRUNCATE and the origin's session make the server send Relations and Types again.
TEST_P(RecordedStream, TellsWhatTheWorkloadDid) {
  EXPECT_THAT(
      script_of(of_major("pgoutput")),
      ElementsAre("type mood", "relation plain d +id note feeling", "insert plain 1|one|happy",
                  "insert plain 2|~|~", "update plain 1|uno|happy", "update plain K 2|~|~ -> 3|~|~",
                  "delete plain K 1|~|~", "relation wide d +id big n", "insert wide 1|long|1",
                  "update wide 1|^|2", "relation full_identity f +id +note",
                  "insert full_identity 1|~", "update full_identity O 1|~ -> 1|n",
                  "delete full_identity O 1|n", "relation no_identity n id", "insert no_identity 7",
                  "relation by_index i +a b", "insert by_index 1|b", "update by_index K 1|~ -> 2|b",
                  "delete by_index K 2|~", "type mood", "relation plain d +id note feeling",
                  "relation wide d +id big n", "truncate plain wide cascade restart",
                  "message prefix 2", "message in prefix 6", "origin elsewhere", "type mood",
                  "relation plain d +id note feeling", "insert plain 9|far|sad",
                  "message in end 0"));
}

TEST_P(RecordedStream, HasBinaryValuesWhereTheTypeKnowsHow) {
  std::vector<ValueKind> kinds;
  EXPECT_FALSE(script_of(of_major("pgoutput_binary"), {}, &kinds).empty());
  EXPECT_THAT(kinds, testing::Contains(ValueKind::binary));
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedStream, testing::ValuesIn(tests::recorded_majors));

constexpr PgoutputOptions streaming_on{.streaming = Streaming::on};
constexpr PgoutputOptions in_parallel{.streaming = Streaming::parallel};
constexpr PgoutputOptions two_phase{.streaming = Streaming::on, .two_phase = true};

// What record_streamed does, as each major tells it; `with_lsn` ends what is told of an abort.
std::vector<std::string> streamed_workload(const std::string& with_lsn) {
  return {"first piece of a",
          "a relation plain d +id note",
          "a insert plain 1|a",
          "first piece of b",
          "b relation plain d +id note",
          "b insert plain 2|b",
          "piece of a",
          "a type mood",
          "a relation feelings d +id feeling",
          "a insert feelings 1|happy",
          "a update plain 1|aa",
          "relation plain d +id note",
          "insert plain 3|small",
          "piece of b",
          "b update plain K 2|~ -> 4|b",
          "b delete plain K 4|~",
          "commit a",
          "piece of b",
          "b insert plain 5|last",
          "commit b",
          "first piece of c",
          "c relation plain d +id note",
          "c insert plain 10|kept",
          "d insert plain 11|lost",
          "abort d of c" + with_lsn,
          "piece of c",
          "e relation plain d +id note",
          "e insert plain 12|kept",
          "commit c",
          "first piece of f",
          "f relation plain d +id note",
          "f insert plain 20|lost",
          "message read 0",
          "abort f of f" + with_lsn,
          "first piece of g",
          "g relation plain d +id note",
          "g insert plain 30|narrow",
          "piece of g",
          "g relation plain d +id note more",
          "g insert plain 31|wide|7",
          "commit g",
          "message beside 1",
          "first piece of h",
          "h message in inside 1",
          "h relation plain d +id note more",
          "h type mood",
          "h relation feelings d +id feeling",
          "h truncate plain feelings restart",
          "commit h",
          "first piece of i",
          "origin elsewhere",
          "i relation plain d +id note more",
          "i insert plain 50|far|~",
          "commit i",
          "message in end 0"};
}

using StreamedTransactions = RecordedStream;
using ParallelTransactions = RecordedStream;
using PreparedTransactions = RecordedStream;

TEST_P(StreamedTransactions, AreToldInPieces) {
  EXPECT_THAT(script_of(of_major("streaming"), streaming_on),
              ElementsAreArray(streamed_workload("")));
}

TEST_P(StreamedTransactions, AreRefusedByADecoderThatDidNotAskForThem) {
  EXPECT_THROW(script_of(of_major("streaming")), ProtocolError);
  EXPECT_THROW(script_of(of_major("streaming"), in_parallel), ProtocolError);
}

INSTANTIATE_TEST_SUITE_P(Majors, StreamedTransactions, testing::ValuesIn(tests::recorded_majors));

TEST_P(ParallelTransactions, TellWhereTheyWereAborted) {
  EXPECT_THAT(script_of(of_major("parallel"), in_parallel),
              ElementsAreArray(streamed_workload(" with its LSN")));
}

TEST_P(ParallelTransactions, AreRefusedByADecoderThatDidNotAskForThem) {
  EXPECT_THROW(script_of(of_major("parallel"), streaming_on), ProtocolError);
}

INSTANTIATE_TEST_SUITE_P(Majors, ParallelTransactions, testing::Values(16, 17, 18));

TEST_P(PreparedTransactions, AreToldWhenTheyArePrepared) {
  EXPECT_THAT(
      script_of(of_major("two_phase"), two_phase),
      ElementsAre("begin prepare small, committed", "relation plain d +id note more",
                  "insert plain 40|small|~", "prepare small, committed",
                  "insert plain 41|between|~", "commit prepared small, committed",
                  "begin prepare small, rolled back", "origin elsewhere", "insert plain 42|small|~",
                  "prepare small, rolled back", "message read 0",
                  "rollback prepared small, rolled back", "first piece of a",
                  "a relation plain d +id note more", "a insert plain 43|large|~",
                  "stream prepare a large, committed", "commit prepared large, committed",
                  "first piece of b", "b relation plain d +id note more",
                  "b insert plain 44|large|~", "stream prepare b large, rolled back",
                  "message read 0", "rollback prepared large, rolled back", "message in end 0"));
}

TEST_P(PreparedTransactions, AreRefusedByADecoderThatDidNotAskForThem) {
  EXPECT_THROW(script_of(of_major("two_phase"), streaming_on), ProtocolError);
}

INSTANTIATE_TEST_SUITE_P(Majors, PreparedTransactions, testing::Values(15, 16, 17, 18));

}  // namespace
}  // namespace pgcourier::protocol
