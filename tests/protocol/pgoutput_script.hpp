// A recorded stream as lines that one can compare with what was done: framer, XLogData and decoder
// together.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/pgoutput_decoder.hpp"

namespace pgcourier::tests {

// One line a message, with what differs between recordings left out: transaction ids become
// letters, and lead what is inside a streamed piece ("a insert plain 1|one"). Expects what must be
// equal between the messages of a transaction.
class PgoutputScript {
 public:
  void operator()(const protocol::Begin& begin);
  void operator()(const protocol::Commit& commit);
  void operator()(const protocol::Origin& origin);
  void operator()(const protocol::RelationMessage& relation);
  void operator()(const protocol::TypeMessage& type);
  void operator()(const protocol::Insert& insert);
  void operator()(const protocol::Update& update);
  void operator()(const protocol::Delete& deletion);
  void operator()(const protocol::Truncate& truncate);
  void operator()(const protocol::LogicalMessage& message);
  void operator()(const protocol::StreamStart& start);
  void operator()(const protocol::StreamStop& stop);
  void operator()(const protocol::StreamCommit& commit);
  void operator()(const protocol::StreamAbort& abort);
  void operator()(const protocol::BeginPrepare& begin);
  void operator()(const protocol::Prepare& prepare);
  void operator()(const protocol::CommitPrepared& commit);
  void operator()(const protocol::RollbackPrepared& rollback);
  void operator()(const protocol::StreamPrepare& prepare);

  std::vector<std::string> lines;

 private:
  std::string letter(std::uint32_t xid);
  std::string change(std::uint32_t xid, std::string_view what);

  protocol::Lsn open_;
  bool in_piece_ = false;
  protocol::BeginPrepare begin_prepare_;
  std::map<std::string, protocol::Lsn, std::less<>> prepared_;  // gid → where Prepare ends
  std::map<std::uint32_t, std::string> tables_;
  std::map<std::uint32_t, char> letters_;
};

// The lines of tests/fixtures/protocol/<recording>.hex. Expects each payload to be taken neither
// cut nor with a byte more. `kinds`: of all inserted values.
std::vector<std::string> script_of(std::string_view recording,
                                   protocol::PgoutputOptions options = {},
                                   std::vector<protocol::ValueKind>* kinds = nullptr);

}  // namespace pgcourier::tests
