// The `native` format: one JSON object an event (contract.md, "Events").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/encoder.hpp"
#include "sinks/encoding/json_values.hpp"
#include "sinks/encoding/text_buffer.hpp"

namespace pgcourier::sinks::encoding {

// One object lives for one session: it keeps, by Relation::version, what it derives from a
// Relation.
//
// Records point into buffers that are reused; they are put together as
//   {"op":…,"schema":…,"table":…,"key":…,"before":…,"after":…,"unchanged":…    encode()
//   ,"lsn":…,"commit_lsn":…,"seq":…                                            encode()
//   ,"last":true,"end_lsn":…                                                   finish()
//   ,"xid":…,"commit_ts":…,"origin":…}                                         begin(), as tail_
class NativeJson : public cdc::Encoder {
 public:
  void begin(const cdc::TransactionHeader& transaction) override;
  void encode(const cdc::ChangeEvent& event) override;
  const cdc::EncodedEvent& finish(std::optional<protocol::Lsn> end_lsn) override;
  std::vector<std::string> take_unfitting() override;

 private:
  // What a Relation alone decides, rendered on its first event.
  struct Fragments {
    TextBuffer table;                 // ,"schema":"public","table":"orders"
    std::vector<TextBuffer> columns;  // "id":
    std::vector<bool> unfitting;      // columns that were told of
    bool ready = false;
  };

  // A record being written: its bytes, and where in them the key stands.
  struct Draft {
    TextBuffer value;
    std::size_t key_begin = 0;
    std::size_t key_end = 0;
    protocol::Lsn commit_lsn;

    std::string_view key() const { return value.view().substr(key_begin, key_end - key_begin); }
  };

  // The rows of one event, as far as they were sent.
  struct Rows {
    const cdc::ChangeEvent& event;
    const cdc::Relation& relation;

    // Nothing if the column was not sent.
    const protocol::ColumnValue* before(std::size_t column) const;
    // Takes a TOAST value that was not sent from `before`, if it stands there.
    const protocol::ColumnValue* after(std::size_t column) const;
  };
  // Which of the two rows; known when the loops over its columns are compiled.
  using RowAt = const protocol::ColumnValue* (Rows::*)(std::size_t) const;

  const Fragments& fragments_of(const cdc::Relation& relation);
  void encode_row_change(const cdc::ChangeEvent& event);
  void encode_truncate(const cdc::ChangeEvent& event);
  void encode_message(const cdc::ChangeEvent& event);
  void encode_outcome(std::string_view operation, const cdc::ChangeEvent& event);

  void start(Draft& draft, std::string_view operation, const cdc::Relation& relation);
  template <RowAt row>
  void append_key(Draft& draft, const Rows& rows);
  template <RowAt row>
  void append_row(Draft& draft, std::string_view member, const Rows& rows);
  void append_unchanged(Draft& draft, const Rows& rows);
  void append_value(TextBuffer& out, const Rows& rows, std::size_t column,
                    const protocol::ColumnValue& value);
  void note_unfitting(const cdc::Relation& relation, std::size_t column);
  void append_position(Draft& draft, const cdc::ChangeEvent& event);
  void close(Draft& draft, std::optional<protocol::Lsn> end_lsn, cdc::Record& record) const;

  JsonValues values_;
  std::vector<Fragments> fragments_;  // by Relation::version
  std::vector<std::string> unfitting_;
  TextBuffer commit_lsn_;  // ,"commit_lsn":"16/B374D848"
  TextBuffer tail_;        // ,"xid":747,"commit_ts":"…","origin":"…"}
  protocol::Lsn transaction_lsn_;
  protocol::PgTime commit_time_;
  bool in_transaction_ = true;  // false while the event is a non-transactional message

  Draft record_;
  Draft removal_;
  Draft insertion_;
  std::string prefix_;  // of a message: its record's key
  std::string gid_;     // of the transaction, if it is prepared
  cdc::EncodedEvent encoded_;
};

}  // namespace pgcourier::sinks::encoding
