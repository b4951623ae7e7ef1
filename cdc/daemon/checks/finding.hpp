// What a check found, and the list of it that `pgcourier check` prints.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

namespace pgcourier::cdc::daemon {

enum class Severity : std::uint8_t { ok, warning, error };

struct Finding {
  std::string name;  // what was looked at: wal_level, slot, replica_identity …
  Severity severity = Severity::ok;
  std::string what;
  std::string remedy;  // empty if ok, or if `what` says it
  int exit_code = 0;   // of an error: what `run` would end with (69: with --no-retry)
};

// In the order in which `run` would come across them.
class Findings {
 public:
  void ok(std::string name, std::string what);
  void warning(std::string name, std::string what, std::string remedy);
  void error(std::string name, int exit_code, std::string what, std::string remedy);
  // What `run` would make of `failure`; `bookmark_exists` as for next_step().
  void failure(std::string name, std::exception_ptr failure, bool bookmark_exists);

  const std::vector<Finding>& all() const { return all_; }
  const Finding* first_error() const;
  // The first error's, or 0.
  int exit_code() const;

 private:
  std::vector<Finding> all_;
};

}  // namespace pgcourier::cdc::daemon
