// Messages of the walsender, written as PostgreSQL does (manual §55.4, §55.9, protocol version 1).
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire_writer.hpp"

namespace pgcourier::test {

using protocol::Lsn;
using protocol::WireWriter;

// The one-letter kinds of a column's value, and its text.
struct Value {
  char kind = 't';
  std::string text;
};
inline Value text(std::string value) { return {'t', std::move(value)}; }
inline Value null() { return {'n', {}}; }
inline Value unchanged() { return {'u', {}}; }
using Tuple = std::vector<Value>;

struct SentColumn {
  std::string name;
  std::uint32_t type_oid = 25;
  bool is_key = false;
};

inline std::string begin(Lsn commit_lsn, std::int64_t commit_time = 0, std::uint32_t xid = 7) {
  std::string out = "B";
  WireWriter to(out);
  to.lsn(commit_lsn);
  to.time({commit_time});
  to.u32(xid);
  return out;
}

inline std::string commit(Lsn commit_lsn, Lsn end_lsn, std::int64_t commit_time = 0) {
  std::string out = "C";
  WireWriter to(out);
  to.u8(0);
  to.lsn(commit_lsn);
  to.lsn(end_lsn);
  to.time({commit_time});
  return out;
}

inline std::string origin(std::string_view name) {
  std::string out = "O";
  WireWriter to(out);
  to.lsn(Lsn{1});
  to.c_string(name);
  return out;
}

inline std::string relation(std::uint32_t oid, std::string_view schema, std::string_view table,
                            char identity, const std::vector<SentColumn>& columns) {
  std::string out = "R";
  WireWriter to(out);
  to.u32(oid);
  to.c_string(schema);
  to.c_string(table);
  to.u8(static_cast<std::uint8_t>(identity));
  to.u16(static_cast<std::uint16_t>(columns.size()));
  for (const auto& column : columns) {
    to.u8(column.is_key ? 1 : 0);
    to.c_string(column.name);
    to.u32(column.type_oid);
    to.i32(-1);
  }
  return out;
}

inline void append_tuple(WireWriter& to, char kind, const Tuple& tuple) {
  to.u8(static_cast<std::uint8_t>(kind));
  to.u16(static_cast<std::uint16_t>(tuple.size()));
  for (const auto& value : tuple) {
    to.u8(static_cast<std::uint8_t>(value.kind));
    if (value.kind != 't') continue;
    to.u32(static_cast<std::uint32_t>(value.text.size()));
    to.bytes(value.text);
  }
}

inline std::string insert(std::uint32_t oid, const Tuple& row) {
  std::string out = "I";
  WireWriter to(out);
  to.u32(oid);
  append_tuple(to, 'N', row);
  return out;
}

// `old_kind`: 'K' or 'O'; 0: the server sent no old row.
inline std::string update(std::uint32_t oid, const Tuple& row, char old_kind = 0,
                          const Tuple& old_row = {}) {
  std::string out = "U";
  WireWriter to(out);
  to.u32(oid);
  if (old_kind != 0) append_tuple(to, old_kind, old_row);
  append_tuple(to, 'N', row);
  return out;
}

inline std::string removal(std::uint32_t oid, const Tuple& old_row, char old_kind = 'K') {
  std::string out = "D";
  WireWriter to(out);
  to.u32(oid);
  append_tuple(to, old_kind, old_row);
  return out;
}

inline std::string truncation(std::initializer_list<std::uint32_t> oids) {
  std::string out = "T";
  WireWriter to(out);
  to.u32(static_cast<std::uint32_t>(oids.size()));
  to.u8(1);  // CASCADE
  for (const auto oid : oids) to.u32(oid);
  return out;
}

inline std::string logical_message(Lsn lsn, bool transactional) {
  std::string out = "M";
  WireWriter to(out);
  to.u8(transactional ? 1 : 0);
  to.lsn(lsn);
  to.c_string("prefix");
  to.u32(4);
  to.bytes("body");
  return out;
}

// The body of CopyData around one of the above.
inline std::string xlog_data(std::string_view payload, Lsn start = {}) {
  std::string out = "w";
  WireWriter to(out);
  to.lsn(start);
  to.lsn(start);
  to.time({0});
  to.bytes(payload);
  return out;
}

inline std::string keepalive(Lsn end, bool reply_requested = false) {
  std::string out = "k";
  WireWriter to(out);
  to.lsn(end);
  to.time({0});
  to.u8(reply_requested ? 1 : 0);
  return out;
}

}  // namespace pgcourier::test
