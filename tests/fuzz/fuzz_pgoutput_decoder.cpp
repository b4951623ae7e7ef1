// Any messages at all, one after the other as in a stream: the decoder either understands them or
// throws ProtocolError. Anything else, such as a crash, another exception or a sanitizer report, is
// a bug. The first byte says what was asked for; then come messages, each after its length in two
// bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/pgoutput_decoder.hpp"
#include "tests/support/hex.hpp"

namespace {

using namespace pgcourier::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

// Every value must lie inside the payload, and a transaction id be told inside of pieces only.
class Check {
 public:
  explicit Check(PgoutputOptions options) : options_(options) {}

  void decode(PgoutputDecoder& decoder, ByteView payload) {
    payload_ = payload;
    std::visit(*this, decoder.decode(payload));
  }

  void operator()(const StreamStart&) {
    require(options_.streaming != Streaming::off && !in_piece_);
    in_piece_ = true;
  }
  void operator()(const StreamStop&) {
    require(in_piece_);
    in_piece_ = false;
  }
  void operator()(const Insert& insert) {
    check(insert.xid);
    check(insert.new_row);
  }
  void operator()(const Update& update) {
    check(update.xid);
    check(update.old_row);
    check(update.new_row);
  }
  void operator()(const Delete& deletion) {
    check(deletion.xid);
    check(deletion.old_row);
  }
  void operator()(const RelationMessage& relation) { check(relation.xid); }
  void operator()(const TypeMessage& type) { check(type.xid); }
  void operator()(const Truncate& truncate) { check(truncate.xid); }
  void operator()(const LogicalMessage& message) { check(message.xid); }
  void operator()(const Origin&) {}
  template <typename Bound>
  void operator()(const Bound&) {
    require(!in_piece_);
  }

 private:
  void check(std::uint32_t xid) const { require((xid != 0) == in_piece_); }
  void check(Row row) const {
    for (const auto& value : row) {
      require(value.bytes.empty() ||
              (value.bytes.data() >= payload_.data() &&
               value.bytes.data() + value.bytes.size() <= payload_.data() + payload_.size()));
    }
  }

  PgoutputOptions options_;
  bool in_piece_ = false;
  ByteView payload_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView rest(reinterpret_cast<const char*>(data), size);
  if (rest.empty()) return 0;
  const PgoutputOptions options{.streaming = static_cast<Streaming>((data[0] & 0x7f) % 3),
                                .two_phase = (data[0] & 0x80) != 0};
  PgoutputDecoder decoder(options);
  Check check(options);
  rest.remove_prefix(1);
  while (!rest.empty()) {
    WireReader in(rest);
    const std::size_t length = std::min<std::size_t>(in.u16(), in.remaining());
    const pgcourier::tests::ExactBuffer payload(in.bytes(length));
    rest = in.rest();
    try {
      check.decode(decoder, payload.view());
    } catch (const ProtocolError&) {  // a session would end here; the decoder must stand it anyway
    }
  }
  return 0;
}
