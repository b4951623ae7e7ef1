// Messages of streamed and prepared transactions, as PostgreSQL writes them (§55.9).
#pragma once

#include <string>
#include <string_view>

#include "tests/cdc/pgoutput_bytes.hpp"

namespace pgcourier::test {

inline std::string stream_start(std::uint32_t xid, bool first) {
  std::string out = "S";
  WireWriter to(out);
  to.u32(xid);
  to.u8(first ? 1 : 0);
  return out;
}
inline const std::string stream_stop = "E";

inline std::string stream_commit(std::uint32_t xid, Lsn commit_lsn, Lsn end_lsn) {
  std::string out = "c";
  WireWriter to(out);
  to.u32(xid);
  to.u8(0);
  to.lsn(commit_lsn);
  to.lsn(end_lsn);
  to.time({});
  return out;
}

inline std::string stream_abort(std::uint32_t xid, std::uint32_t subtransaction_xid) {
  std::string out = "A";
  WireWriter to(out);
  to.u32(xid);
  to.u32(subtransaction_xid);
  return out;
}

// As it comes in a piece.
inline std::string by(std::uint32_t xid, const std::string& message) {
  std::string out = message.substr(0, 1);
  WireWriter to(out);
  to.u32(xid);
  return out + message.substr(1);
}

inline std::string begin_prepare(Lsn prepare_lsn, Lsn end_lsn, std::string_view gid,
                                 std::uint32_t xid = 7) {
  std::string out = "b";
  WireWriter to(out);
  to.lsn(prepare_lsn);
  to.lsn(end_lsn);
  to.time({});
  to.u32(xid);
  to.c_string(gid);
  return out;
}

// `type`: P, of a streamed transaction p, of COMMIT PREPARED K.
inline std::string prepared(char type, Lsn lsn, Lsn end_lsn, std::string_view gid,
                            std::uint32_t xid = 7) {
  std::string out(1, type);
  WireWriter to(out);
  to.u8(0);
  to.lsn(lsn);
  to.lsn(end_lsn);
  to.time({});
  to.u32(xid);
  to.c_string(gid);
  return out;
}

inline std::string rollback_prepared(Lsn prepare_end_lsn, Lsn rollback_end_lsn,
                                     std::string_view gid, std::uint32_t xid = 7) {
  std::string out = "r";
  WireWriter to(out);
  to.u8(0);
  to.lsn(prepare_end_lsn);
  to.lsn(rollback_end_lsn);
  to.time({});
  to.time({});
  to.u32(xid);
  to.c_string(gid);
  return out;
}

}  // namespace pgcourier::test
