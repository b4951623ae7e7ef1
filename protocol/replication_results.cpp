#include "protocol/replication_results.hpp"

#include <charconv>
#include <concepts>

#include "protocol/protocol_error.hpp"

namespace pgcourier::protocol {
namespace {

// The columns of one row, in order.
class Columns {
 public:
  Columns(std::string_view command, ResultValues row, std::size_t count)
      : command_(command), row_(row) {
    if (row.size() != count) {
      fail(std::to_string(row.size()) + " columns instead of " + std::to_string(count));
    }
  }

  std::optional<std::string> text_or_null() {
    const auto& value = row_[next_++];
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }
  std::string text() {
    auto value = text_or_null();
    if (!value) fail("column " + std::to_string(next_) + " is NULL");
    return std::move(*value);
  }
  template <std::unsigned_integral T>
  T number() {
    const auto value = number_or_null<T>();
    if (!value) fail("column " + std::to_string(next_) + " is NULL");
    return *value;
  }
  template <std::unsigned_integral T>
  std::optional<T> number_or_null() {
    const auto value = text_or_null();
    if (!value) return std::nullopt;
    T number = 0;
    const char* const last = value->data() + value->size();
    const auto [end, error] = std::from_chars(value->data(), last, number);
    if (error != std::errc{} || end != last) {
      fail("column " + std::to_string(next_) + " is not a number it could be");
    }
    return number;
  }
  std::uint32_t timeline() {
    const auto number = this->number<std::uint32_t>();
    if (number == 0) fail("there is no timeline 0");
    return number;
  }
  Lsn lsn() { return to_lsn(text()); }
  std::optional<Lsn> lsn_or_null() {
    const auto value = text_or_null();
    return value ? std::optional<Lsn>(to_lsn(*value)) : std::nullopt;
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw ProtocolError(command_, "the answer: " + reason);
  }

 private:
  Lsn to_lsn(const std::string& text) const {
    const auto lsn = parse_lsn(text);
    if (!lsn) fail("column " + std::to_string(next_) + " is not a position");
    return *lsn;
  }

  std::string_view command_;
  ResultValues row_;
  std::size_t next_ = 0;
};

}  // namespace

SystemIdentity read_system_identity(ResultValues row) {
  Columns columns("IDENTIFY_SYSTEM", row, 4);
  SystemIdentity identity;
  identity.system_identifier = columns.text();
  if (identity.system_identifier.empty()) columns.fail("systemid is empty");
  identity.timeline = columns.timeline();
  identity.xlogpos = columns.lsn();
  identity.database = columns.text_or_null();
  return identity;
}

std::string read_shown_value(ResultValues row) { return Columns("SHOW", row, 1).text(); }

TimelineHistoryFile read_timeline_history_file(ResultValues row) {
  Columns columns("TIMELINE_HISTORY", row, 2);
  TimelineHistoryFile file;
  file.filename = columns.text();
  file.content = columns.text();
  return file;
}

CreatedSlot read_created_slot(ResultValues row) {
  Columns columns("CREATE_REPLICATION_SLOT", row, 4);
  CreatedSlot slot;
  slot.slot = columns.text();
  slot.consistent_point = columns.lsn();
  slot.snapshot = columns.text_or_null();
  slot.output_plugin = columns.text_or_null();
  return slot;
}

std::optional<PhysicalSlot> read_physical_slot(ResultValues row) {
  Columns columns("READ_REPLICATION_SLOT", row, 3);
  const auto type = columns.text_or_null();
  if (!type) return std::nullopt;
  if (*type != "physical") columns.fail("a slot that is not physical");
  PhysicalSlot slot;
  slot.restart_lsn = columns.lsn_or_null();
  slot.restart_timeline = columns.number_or_null<std::uint32_t>().value_or(0);
  return slot;
}

TimelinePosition read_backup_position(ResultValues row) {
  Columns columns("BASE_BACKUP", row, 2);
  TimelinePosition position;
  position.lsn = columns.lsn();
  position.timeline = columns.timeline();
  return position;
}

TimelinePosition read_next_timeline(ResultValues row) {
  Columns columns("START_REPLICATION", row, 2);
  TimelinePosition position;
  position.timeline = columns.timeline();
  position.lsn = columns.lsn();
  return position;
}

BackupTablespace read_backup_tablespace(ResultValues row) {
  Columns columns("BASE_BACKUP", row, 3);
  BackupTablespace tablespace;
  tablespace.oid = columns.number_or_null<std::uint32_t>().value_or(0);
  tablespace.location = columns.text_or_null().value_or("");
  tablespace.size_kib = columns.number_or_null<std::uint64_t>();
  if ((tablespace.oid == 0) != tablespace.location.empty()) {
    columns.fail("a tablespace with only one of OID and location");
  }
  return tablespace;
}

}  // namespace pgcourier::protocol
