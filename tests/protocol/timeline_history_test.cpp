#include "protocol/timeline_history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TimelineHistory, ListsEverySwitch) {
  EXPECT_THAT(read_timeline_history("1\t0/3000158\tno recovery target specified\n\n"
                                    "2\t1/4000000\tbefore 2000-01-01 00:00:00+00\n"),
              ElementsAre(TimelineSwitch{1, Lsn{0x3000158}}, TimelineSwitch{2, Lsn{0x1'04000000}}));
}

TEST(TimelineHistory, SkipsCommentsAndEmptyLines) {
  EXPECT_THAT(read_timeline_history("# comment\n \n\r\n  1 0/1"),
              ElementsAre(TimelineSwitch{1, Lsn{1}}));
  EXPECT_THAT(read_timeline_history(""), IsEmpty());
}

TEST(TimelineHistory, RefusesNonsense) {
  for (const auto* text : {"x", "1", "1 0", "1 0/", "0 0/1", "-1 0/1", "1x 0/1", "99999999999 0/1",
                           "2 0/1\n1 0/2", "1 0/1\n1 0/2", "1 0/2\n2 0/1", "1 0/1\n2"}) {
    EXPECT_THROW(read_timeline_history(text), ProtocolError) << text;
  }
}

}  // namespace
}  // namespace pgcourier::protocol
