// What is accepted as an answer, and what is not, §55.2.2–55.2.6.
#include "protocol/query_dialogue.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <stdexcept>

#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

using namespace std::string_literals;

using tests::from_hex;

// Bodies of messages that are right by themselves.
std::string body_of(char type) {
  switch (type) {
    case 'T':
      return from_hex("0001 6100 00000000 0000 00000019 ffff ffffffff 0000");
    case 'D':
      return from_hex("0001 00000001 31");
    case 'C':
      return "SELECT 1\0"s;
    case 't':
      return from_hex("0000");
    case 'G':
    case 'H':
    case 'W':
      return from_hex("00 0000");
    case 'E':
      return "SERROR\0VERROR\0C42601\0Mno\0\0"s;
    case 'F':  // not a server's: stands for a fatal ErrorResponse
      return "SFATAL\0VFATAL\0C57P01\0Mno\0\0"s;
    case 'V':
      return from_hex("ffffffff");
    case 'Z':
      return "I";
    default:
      return "";
  }
}

struct Dialogue {
  QueryDialogue dialogue;
  std::string body;

  explicit Dialogue(const Requests& requests) { dialogue.asked(requests.asked()); }
  Reply reply(char type) {
    body = body_of(type);
    return dialogue.on_message({.type = type == 'F' ? 'E' : type, .body = body, .size = 0});
  }
  void take(std::string_view types) {
    for (const char type : types) reply(type);
  }
  // Whether these types are taken one after the other, all of them.
  bool takes(std::string_view types) {
    try {
      take(types);
      return true;
    } catch (const ProtocolError&) {
      return false;
    }
  }
};

Requests simple() {
  Requests requests;
  requests.query("SELECT 1");
  return requests;
}
Requests extended() {
  Requests requests;
  requests.parse("", "SELECT 1").bind("", "", {}).describe_portal("").execute("").sync();
  return requests;
}
Requests unsynced_copy() {
  Requests requests;
  requests.parse("", "COPY t FROM STDIN").bind("", "", {}).execute("").flush();
  return requests;
}

TEST(QueryDialogue, TakesEveryAnswerToASimpleQuery) {
  for (const auto* types : {"CZ", "IZ", "TDDCZ", "TCZ", "TDCCTDCZ", "EZ", "TDEZ", "CEZ", "EEZ",
                            "HddcCZ", "HcCTDCZ", "HdEZ", "F", "TDF", "TDCTDCHdcHdcTDCCZ"}) {
    Dialogue dialogue(simple());
    EXPECT_TRUE(dialogue.takes(types)) << types;
    EXPECT_TRUE(dialogue.dialogue.idle()) << types;
  }
}

TEST(QueryDialogue, RefusesWhatNoSimpleQueryIsAnsweredWith) {
  for (const auto* types :
       {"D",  "TT",  "TZ",  "TDZ", "1",   "2",   "3",  "n",  "s",   "t",   "c",  "d",
        "V",  "CZZ", "CZC", "EC",  "EZE", "HD",  "HC", "HZ", "Hcd", "HcZ", "GC", "Gd",
        "GZ", "TG",  "TI",  "TDH", "HcG", "HcD", "R",  "K",  "v",   "x"}) {
    Dialogue dialogue(simple());
    EXPECT_FALSE(dialogue.takes(types)) << types;
  }
}

TEST(QueryDialogue, TakesEveryAnswerToAnExtendedQuery) {
  for (const auto* types : {"12TDDCZ", "12nCZ", "12nIZ", "12TDsZ", "EZ", "1EZ", "12EZ", "12TDEZ",
                            "12TDCEZ", "12THdcCZ", "12TF"}) {
    Dialogue dialogue(extended());
    EXPECT_TRUE(dialogue.takes(types)) << types;
    EXPECT_TRUE(dialogue.dialogue.idle()) << types;
  }
  for (const auto* types : {"2", "11", "12D", "12t", "12TT", "12TZ", "12TDCD", "12TDCC", "EC", "E1",
                            "EZZ", "12TsD", "12TG", "12TW", "12TDIC", "12TV"}) {
    Dialogue dialogue(extended());
    EXPECT_FALSE(dialogue.takes(types)) << types;
  }
}

TEST(QueryDialogue, DescribesAStatementInTwoMessages) {
  Requests requests;
  requests.describe_statement("s").close_statement("s").close_portal("p").sync();
  EXPECT_TRUE(Dialogue(requests).takes("tT33Z"));
  EXPECT_TRUE(Dialogue(requests).takes("tn33Z"));
  EXPECT_FALSE(Dialogue(requests).takes("T"));
  EXPECT_FALSE(Dialogue(requests).takes("n"));
  EXPECT_FALSE(Dialogue(requests).takes("tt"));
}

TEST(QueryDialogue, SkipsToTheSyncOfThePipelineThatFailed) {
  Requests requests;
  requests.parse("", "a").bind("", "", {}).execute("").parse("", "b").bind("", "", {}).sync();
  requests.parse("", "c").bind("", "", {}).execute("").sync();
  Dialogue dialogue(requests);
  dialogue.take("12CE");
  EXPECT_FALSE(dialogue.dialogue.idle());
  EXPECT_TRUE(dialogue.takes("Z12CZ"));
  EXPECT_TRUE(dialogue.dialogue.idle());
}

TEST(QueryDialogue, ForgetsWhatIsAskedBetweenAnErrorAndTheSync) {
  Requests requests;
  requests.parse("", "a").flush();
  Dialogue dialogue(requests);
  EXPECT_TRUE(dialogue.dialogue.needs_sync());
  dialogue.take("E");
  EXPECT_TRUE(dialogue.dialogue.idle());
  EXPECT_TRUE(dialogue.dialogue.needs_sync());
  dialogue.dialogue.asked(std::vector{Request::bind, Request::query});
  EXPECT_TRUE(dialogue.dialogue.idle());
  dialogue.dialogue.asked(std::vector{Request::sync, Request::parse, Request::sync});
  EXPECT_FALSE(dialogue.dialogue.needs_sync());
  EXPECT_TRUE(dialogue.takes("Z1Z"));
}

TEST(QueryDialogue, NeedsASyncWhereAQueryIsSkippedToo) {
  Requests requests;
  requests.parse("", "a").query("b");
  Dialogue dialogue(requests);
  EXPECT_FALSE(dialogue.dialogue.needs_sync());
  dialogue.take("E");
  EXPECT_TRUE(dialogue.dialogue.idle());
  EXPECT_TRUE(dialogue.dialogue.needs_sync());
}

TEST(QueryDialogue, CopiesToTheServer) {
  Dialogue dialogue(simple());
  dialogue.take("G");
  EXPECT_TRUE(dialogue.dialogue.takes_copy_data());
  EXPECT_THROW(dialogue.dialogue.asked(std::vector{Request::sync}), std::logic_error);
  dialogue.dialogue.copy_ended();
  EXPECT_FALSE(dialogue.dialogue.takes_copy_data());
  EXPECT_TRUE(dialogue.takes("CGEZ"));  // another copy in the same text, refused

  Dialogue with_sync(unsynced_copy());
  with_sync.take("12G");
  with_sync.dialogue.copy_ended();
  with_sync.dialogue.asked(std::vector{Request::sync});
  EXPECT_TRUE(with_sync.takes("CZ"));
}

TEST(QueryDialogue, IsToldOfAnErrorInTheMiddleOfACopy) {
  Dialogue dialogue(unsynced_copy());
  dialogue.take("12GE");
  EXPECT_FALSE(dialogue.dialogue.takes_copy_data());
  EXPECT_TRUE(dialogue.dialogue.needs_sync());
  dialogue.dialogue.asked(std::vector{Request::sync});
  EXPECT_TRUE(dialogue.takes("Z"));
}

// The server would swallow the Sync, and nobody would ever answer.
TEST(QueryDialogue, RefusesACopyThatIsNotLast) {
  Requests requests;
  requests.parse("", "COPY t FROM STDIN").bind("", "", {}).execute("").sync();
  EXPECT_FALSE(Dialogue(requests).takes("12G"));
  EXPECT_TRUE(Dialogue(requests).takes("12HdcCZ"));
}

TEST(QueryDialogue, StreamsBothWays) {
  for (const auto* types :
       {"WddcCZ", "WdcddCCZ", "WC", "WdEZ", "WcTDCCZ", "WcTDCZ", "WcEZ", "WF"}) {
    Dialogue dialogue(simple());
    EXPECT_TRUE(dialogue.takes(types)) << types;
    EXPECT_FALSE(dialogue.dialogue.in_copy_both());
  }
  for (const auto* types : {"WT", "WZ", "WG", "WEd", "Wcc", "WcZ", "WcdZ"}) {
    EXPECT_FALSE(Dialogue(simple()).takes(types)) << types;
  }
}

TEST(QueryDialogue, CallsAFunction) {
  Requests requests;
  requests.function_call(177, {}, FormatCode::binary);
  EXPECT_TRUE(Dialogue(requests).takes("VZ"));
  EXPECT_TRUE(Dialogue(requests).takes("EZ"));
  for (const auto* types : {"Z", "VV", "C", "D", "T"}) {
    EXPECT_FALSE(Dialogue(requests).takes(types)) << types;
  }
}

TEST(QueryDialogue, KnowsTheTransactionStatus) {
  Dialogue dialogue(simple());
  dialogue.take("C");
  dialogue.dialogue.on_message({.type = 'Z', .body = "T", .size = 0});
  EXPECT_EQ(dialogue.dialogue.transaction_status(), TransactionStatus::in_transaction);
}

TEST(QueryDialogue, TakesOnlyAFatalErrorWhenNothingWasAsked) {
  for (const char type : std::string_view("12345TDCIZEdcGHWVntsR\0x", 23)) {
    EXPECT_FALSE(Dialogue(Requests()).takes({&type, 1})) << type;
  }
  EXPECT_TRUE(Dialogue(Requests()).takes("F"));
}

// Whatever is asked and whatever comes: a reply or ProtocolError, and never more replies that end
// something than there is to end.
TEST(QueryDialogue, NeverAnswersMoreThanWasAsked) {
  EXPECT_TRUE(rc::check(
      [](const std::vector<std::uint8_t>& asked, const std::vector<std::uint8_t>& answers) {
        constexpr std::string_view types = "12TDCIZEFdcGHWVnts3";
        QueryDialogue dialogue;
        std::vector<Request> requests;
        for (const auto number : asked) requests.push_back(static_cast<Request>(number % 9));
        dialogue.asked(requests);
        std::size_t ready = 0;
        try {
          for (const auto number : answers) {
            const char type = types[number % types.size()];
            const std::string body = body_of(type);
            const Reply reply =
                dialogue.on_message({.type = type == 'F' ? 'E' : type, .body = body, .size = 0});
            if (std::holds_alternative<ReadyForQuery>(reply)) ++ready;
          }
        } catch (const ProtocolError&) {
        }
        RC_ASSERT(ready <= requests.size());
      }));
}

}  // namespace
}  // namespace pgcourier::protocol
