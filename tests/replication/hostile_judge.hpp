// Whether a client may take a dialogue for a good one, judged by what the server said alone.
#pragma once

#include "tests/replication/hostile_dialogue.hpp"

namespace pgcourier::replication::test {

// The rule: some first part of what was said is whole messages, each as an honest server would have
// sent it, in an order that ends well. So a cut, a stall or a reset before the last message that is
// needed is never good, nor is a false length; a message that is lost, repeated or replaced is good
// only where the protocol has no means to tell: the pattern of the dialogue then says so.
//
// A token: "R0 " for AuthenticationOk, likewise the other kinds of 'R'; "dk " for a CopyData that
// begins with 'k' where the dialogue is a walsender's; "S! " for a byte in clear, "tls " where TLS
// began; else the type. What a server may say at any time (NoticeResponse, NotificationResponse,
// and ParameterStatus once we are let in) is left out.
bool may_be_good(const Dialogue& dialogue, const Said& said);

}  // namespace pgcourier::replication::test
