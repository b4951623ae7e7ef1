// What a walsender says, §55.4.
#pragma once

#include "protocol/wire_writer.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication::test {

// One row of text columns.
inline std::string row(const std::vector<std::string>& values) {
  const auto count = static_cast<std::uint16_t>(values.size());
  std::string description;
  std::string data;
  protocol::WireWriter columns(description);
  protocol::WireWriter fields(data);
  columns.u16(count);
  fields.u16(count);
  for (const auto& value : values) {
    description += "c\0"s + big_endian(0) + "\0\0"s + big_endian(25) + "\xff\xff"s +
                   big_endian(0xffffffff) + "\0\0"s;
    data += big_endian(static_cast<std::uint32_t>(value.size())) + value;
  }
  return message('T', description) + message('D', data);
}

inline std::string result(const std::vector<std::string>& values) {
  return row(values) + command_complete("SELECT");
}

// XLogData and primary keepalive.
inline std::string wal(std::uint64_t start, const std::string& bytes) {
  std::string body = "w";
  protocol::WireWriter writer(body);
  writer.lsn(protocol::Lsn{start});
  writer.lsn(protocol::Lsn{start + bytes.size()});
  writer.time({});
  return copy_data(body + bytes);
}

inline std::string keepalive(bool reply_requested) {
  std::string body = "k";
  protocol::WireWriter writer(body);
  writer.lsn(protocol::Lsn{1});
  writer.time({});
  writer.u8(reply_requested ? 1 : 0);
  return copy_data(body);
}

inline std::string copy_out_response() { return message('H', "\0\0\0"s); }
inline std::string copy_done() { return message('c', ""); }

// The second result of BASE_BACKUP: of the data directory alone.
inline std::string no_tablespaces() {
  const std::string column = "c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\0\0\0"s;
  return message('T', "\0\3"s + column + column + column) +
         message('D', "\0\3"s + std::string(12, '\xff')) + command_complete("SELECT");
}

}  // namespace pgcourier::replication::test
