// What an error means: the one place that says "again" or "stop, with this exit code".
#pragma once

#include <chrono>
#include <exception>
#include <string>

namespace pgcourier::cdc::daemon {

struct NextStep {
  bool retry = false;
  bool at_once = false;  // the next attempt will be another one
  int exit_code = 70;    // if it is not retried
  std::string kind;      // server | network | protocol | sink | slot | settings | internal
  std::string sqlstate;  // the server's, else empty
  std::string what;      // for the log: the error, and what to do about it
};

// `bookmark_exists`: what is missing now was there in an earlier run, which makes it a loss (66)
// rather than a mistake in the settings (78).
NextStep next_step(std::exception_ptr error, bool bookmark_exists);

// Between attempts: grows from half a second to half a minute while nothing succeeds. `attempt`
// counts from 0 since the last session that made progress.
std::chrono::milliseconds retry_delay(unsigned attempt);

}  // namespace pgcourier::cdc::daemon
