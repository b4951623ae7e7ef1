#include "cdc/daemon/checks/finding.hpp"

#include <algorithm>
#include <utility>

#include "cdc/daemon/exit_codes.hpp"
#include "cdc/daemon/retry_policy.hpp"

namespace pgcourier::cdc::daemon {

void Findings::ok(std::string name, std::string what) {
  all_.push_back({std::move(name), Severity::ok, std::move(what), {}, exit_done});
}

void Findings::warning(std::string name, std::string what, std::string remedy) {
  all_.push_back(
      {std::move(name), Severity::warning, std::move(what), std::move(remedy), exit_done});
}

void Findings::error(std::string name, int exit_code, std::string what, std::string remedy) {
  all_.push_back({std::move(name), Severity::error, std::move(what), std::move(remedy), exit_code});
}

void Findings::failure(std::string name, std::exception_ptr failure, bool bookmark_exists) {
  auto step = next_step(std::move(failure), bookmark_exists);
  error(std::move(name), step.exit_code, std::move(step.what), {});
}

const Finding* Findings::first_error() const {
  const auto found = std::find_if(all_.begin(), all_.end(), [](const Finding& finding) {
    return finding.severity == Severity::error;
  });
  return found == all_.end() ? nullptr : &*found;
}

int Findings::exit_code() const {
  const auto* error = first_error();
  return error ? error->exit_code : exit_done;
}

}  // namespace pgcourier::cdc::daemon
