// For what only a person can put right.
#pragma once

#include <stdexcept>
#include <string>

#include "cdc/daemon/exit_codes.hpp"

namespace pgcourier::cdc::daemon {

// Ends the program with `exit_code`; what() is the sentence for the operator, remedy included.
class StopError : public std::runtime_error {
 public:
  StopError(int exit_code, const std::string& what)
      : std::runtime_error(what), exit_code_(exit_code) {}

  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

}  // namespace pgcourier::cdc::daemon
