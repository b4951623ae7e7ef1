#include "replication/read_policy.hpp"

namespace pgcourier::replication {

void ReadPolicy::after_read(std::size_t bytes, Clock::time_point now) {
  last_read_ = now;
  last_bytes_ = bytes;
  if (busy_) {
    if (bytes >= limits_.quiet_bytes) {
      productive_ = true;
      return;
    }
    if (productive_) busy_before_ = now;
    busy_ = productive_ = false;
    reads_ = 0;
    return;
  }
  if (bytes == 0) return;
  if (reads_ == 0 || now - window_start_ > limits_.sleep) {
    window_start_ = now;
    reads_ = 0;
  }
  busy_ = ++reads_ >= limits_.busy_reads ||
          (busy_before_ != Clock::time_point{} && now - busy_before_ <= limits_.memory);
}

ReadPolicy::Clock::duration ReadPolicy::pause(Clock::time_point now) const {
  if (!busy_ || last_bytes_ >= limits_.plenty_bytes) return {};
  const auto spent = now - last_read_;
  return spent >= limits_.sleep ? Clock::duration{} : limits_.sleep - spent;
}

}  // namespace pgcourier::replication
