#include "sinks/stdout_sink.hpp"

namespace pgcourier::sinks {
namespace {

class LineStreamOutput : public Output {
 public:
  LineStreamOutput(LineStream& stream, Waiting& waiting) : stream_(stream), waiting_(waiting) {}

  void write(const Chunk& chunk) override { stream_.write(chunk.bytes, waiting_); }
  std::optional<protocol::Lsn> sync() override { return std::nullopt; }
  protocol::Lsn advance(const cdc::Position& position) override { return position.position; }

  // What the session before left half is not left to the next event, which may never come.
  std::optional<Clock::time_point> deadline() const override {
    return stream_.in_a_line() ? std::optional(Clock::now()) : std::nullopt;
  }
  void tick() override { stream_.end_line(waiting_); }

 private:
  LineStream& stream_;
  Waiting& waiting_;
};

}  // namespace

void StdoutSink::start(const cdc::Bookmark&) {
  worker_.start(std::make_unique<LineStreamOutput>(stream_, worker_.waiting()));
}

}  // namespace pgcourier::sinks
